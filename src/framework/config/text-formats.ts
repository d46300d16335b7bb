import { ConfigError } from './config.errors.js';
import type { ConfigLayer } from './layer.js';
import { propertiesLayer } from './properties-layer.js';
import { yamlLayer, yamlLimits, type YamlSource } from './yaml-layer.js';

/** What a document is written in. */
export type ConfigFormat = 'yaml' | 'json' | 'properties';

const formats: Readonly<Record<string, ConfigFormat>> = {
  yaml: 'yaml',
  yml: 'yaml',
  json: 'json',
  properties: 'properties',
};

/**
 * The format of a document, by the type its source states, else by the extension of its name; YAML where neither says.
 *
 * @throws ConfigError a type that is known and cannot be read as configuration, such as `xml`
 */
export function formatOf(name: string, type?: string): ConfigFormat {
  const stated = type?.toLowerCase();
  if (stated !== undefined && formats[stated] !== undefined) return formats[stated];
  // `text` is what a centre says where nobody said anything.
  if (stated !== undefined && stated !== '' && stated !== 'text' && stated !== 'unset') {
    throw ConfigError.of(name, `type ${JSON.stringify(stated.slice(0, 32))} (expected: yaml, json or properties)`);
  }
  return formats[/\.([A-Za-z]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''] ?? 'yaml';
}

/** Reads a document of any format into a layer. Throws as the reader of its format does. */
export function documentLayer(text: string, format: ConfigFormat, source: YamlSource): ConfigLayer {
  if (format === 'yaml') return yamlLayer(text, source);
  return format === 'json' ? jsonLayer(text, source) : propertiesLayer(text, source);
}

/**
 * Reads JSON into a layer. An empty document is an empty layer.
 *
 * @throws ConfigError with file and line: not JSON (RFC 8259), no mapping at the top, a key twice, and what else `yamlLayer`
 *   refuses. No text of the document is quoted
 */
export function jsonLayer(text: string, source: YamlSource): ConfigLayer {
  if (Buffer.byteLength(text) <= yamlLimits.maxBytes && text.trim() !== '') assertJson(text, source.origin);
  // YAML has JSON within it, all but the tabs at the beginning of lines, and its reader knows lines.
  return yamlLayer(
    text.replace(/^[ \t]*\t/gm, (indent) => ' '.repeat(indent.length)),
    source,
  );
}

function assertJson(text: string, origin: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw ConfigError.of(origin, `nested deeper than ${yamlLimits.maxDepth} levels`);
    // The message quotes the document; its position alone does not. At the end of the text there is none.
    const position = Number(/at position (\d+)/.exec((error as Error).message)?.[1] ?? text.length);
    throw ConfigError.of(`${origin}:${text.slice(0, position).split('\n').length}`, 'not valid JSON');
  }
}
