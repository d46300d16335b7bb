import { ConfigError } from './config.errors.js';
import type { ConfigLayer } from './layer.js';
import { TextTree } from './text-layers.js';
import { yamlLimits, type YamlSource } from './yaml-layer.js';

/**
 * Reads Java properties into a layer: `a.b = value` or `a.b: value`, `#` and `!` begin comments, `\` at the end continues a
 * line, `\t \n \r \f \\ \= \: \uXXXX` are escapes. Values are texts, read as what the config class declares, as those of
 * the environment are: lists are separated by commas.
 *
 * @throws ConfigError with file and line: a key that is no path, that stands twice or contradicts another; a broken
 *   escape; more than `yamlLimits` allows. No text of the document is quoted but keys
 * @see https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)
 */
export function propertiesLayer(text: string, source: YamlSource): ConfigLayer {
  const bytes = Buffer.byteLength(text);
  if (bytes > yamlLimits.maxBytes) {
    throw ConfigError.of(source.origin, `${bytes} bytes (expected: at most ${yamlLimits.maxBytes})`);
  }
  const tree = new TextTree();
  const seen = new Set<string>();
  for (const { line, at } of logicalLines(text)) {
    const place = `${source.origin}:${at}`;
    const [rawKey, rawValue] = split(line);
    const key = unescaped(rawKey);
    const value = unescaped(rawValue);
    if (key === undefined || value === undefined) throw ConfigError.of(place, 'a \\u without four hexadecimal digits');
    if (seen.has(key)) throw ConfigError.of(place, 'a key stands twice');
    seen.add(key);
    if (seen.size > yamlLimits.maxValues) throw ConfigError.of(place, `more than ${yamlLimits.maxValues} values`);
    if (key.split('.').length > yamlLimits.maxDepth) {
      throw ConfigError.of(place, `nested deeper than ${yamlLimits.maxDepth} levels`);
    }
    tree.set(key, value, place);
  }
  return { ...tree.layer(source.name, source.kind), isText: true };
}

// Lines with their continuations, without comments and blanks.
function* logicalLines(text: string): Generator<{ line: string; at: number }> {
  let pending: { line: string; at: number } | undefined;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.replace(/^[ \t\f]+/, '');
    if (pending === undefined && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue;
    const { isContinued, content } = continuation(line);
    pending = { line: (pending?.line ?? '') + content, at: pending?.at ?? index + 1 };
    if (isContinued) continue;
    yield pending;
    pending = undefined;
  }
  if (pending !== undefined) yield pending;
}

function continuation(line: string): { isContinued: boolean; content: string } {
  let backslashes = 0;
  while (line[line.length - 1 - backslashes] === '\\') backslashes += 1;
  const isContinued = backslashes % 2 === 1;
  return { isContinued, content: isContinued ? line.slice(0, -1) : line };
}

function split(line: string): [key: string, value: string] {
  let end = 0;
  while (end < line.length && !/[=: \t\f]/.test(line[end] as string)) end += line[end] === '\\' ? 2 : 1;
  return [line.slice(0, end), line.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '')];
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescaped(text: string): string | undefined {
  if (/\\u(?![0-9A-Fa-f]{4})/.test(text.replaceAll('\\\\', ''))) return undefined;
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|([\s\S]))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (escapes[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
