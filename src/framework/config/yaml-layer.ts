import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import { heavyPart } from './yaml-weight.js';
import { ConfigError } from './config.errors.js';
import { type ConfigLayer, type ConfigTree, isRefusedKey, joinPath, type LayerKind } from './layer.js';

/** What a document may cost. */
export const yamlLimits = {
  /** Size of the text in bytes: what Nacos and a Kubernetes ConfigMap hold at most. */
  maxBytes: 1_048_576,
  maxDepth: 32,
  /** Values of the whole document with every alias written out. 40 times what the largest configuration we know of has. */
  maxValues: 20_000,
  maxAliases: 100,
} as const;

/** The name of a layer and of the place its text comes from. */
export interface YamlSource {
  readonly name: string;
  readonly kind: LayerKind;
  /** For messages: a file path or a data id. */
  readonly origin: string;
}

/**
 * Reads YAML 1.2 (so JSON as well) into a layer. An empty document is an empty layer.
 *
 * @throws ConfigError with file and line: not YAML, several documents, no mapping at the top, a key twice, a key that
 *   is not text or would reach a prototype, an unknown tag, or more than `yamlLimits` allows. No text of the document
 *   is quoted: it may hold secrets
 */
export function yamlLayer(text: string, source: YamlSource): ConfigLayer {
  const bytes = Buffer.byteLength(text);
  if (bytes > yamlLimits.maxBytes) {
    throw ConfigError.of(source.origin, `${bytes} bytes (expected: at most ${yamlLimits.maxBytes})`);
  }
  return new YamlReader(text, source).read();
}

const tooDeep = `nested deeper than ${yamlLimits.maxDepth} levels`;
const tooMany = `more than ${yamlLimits.maxValues} values, aliases counted in full`;

// The parser's own messages quote the document, so only its codes are passed on.
const sayings: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'more than one document (expected: one)',
  NON_STRING_KEY: 'a key is not text',
  RESOURCE_EXHAUSTION: tooDeep,
  TAG_RESOLVE_FAILED: 'unknown tag (expected: plain YAML)',
  TAB_AS_INDENT: 'indented with a tab (expected: spaces)',
  BAD_INDENT: 'wrong indentation, or a bracket that is not closed',
  MISSING_CHAR: 'not valid YAML: a character is missing, such as a closing quote, a comma or a bracket',
};

class YamlReader {
  readonly #lines = new LineCounter();
  readonly #sources = new Map<string, string>();
  #values = 0;
  #aliases = 0;

  constructor(
    readonly text: string,
    readonly source: YamlSource,
  ) {}

  read(): ConfigLayer {
    const document = this.#parse();
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw this.#error(fault.pos[0], sayings[fault.code] ?? 'not valid YAML');
    const { name, kind } = this.source;
    if (document.contents === null || isNothing(document.contents)) {
      return { name, kind, tree: {}, sources: this.#sources };
    }
    if (!isMap(document.contents)) throw this.#error(0, 'not a mapping (expected: `section:` with keys below it)');
    this.#document = document;
    const tree = this.#value(document.contents, '', 0) as ConfigTree;
    return { name, kind, tree, sources: this.#sources };
  }

  #document: ReturnType<typeof parseDocument> | undefined;

  #parse(): ReturnType<typeof parseDocument> {
    const heavy = heavyPart(this.text, yamlLimits);
    if (heavy !== undefined) {
      const line = this.text.slice(0, heavy.at).split('\n').length;
      throw ConfigError.of(`${this.source.origin}:${line}`, heavy.what === 'depth' ? tooDeep : tooMany);
    }
    try {
      return parseDocument(this.text, {
        version: '1.2',
        schema: 'core',
        merge: false,
        stringKeys: true,
        // The parser compares each key with all others, 40 s for a document of 600 KB: done below instead.
        uniqueKeys: false,
        resolveKnownTags: false,
        prettyErrors: false,
        logLevel: 'error',
        lineCounter: this.#lines,
      });
    } catch (error) {
      // The parser calls itself per level: what is nested a thousand deep ends its stack.
      if (error instanceof RangeError) throw this.#tooDeep(0);
      throw this.#error((error as Partial<YAMLError>).pos?.[0] ?? 0, 'not valid YAML');
    }
  }

  #value(node: Node | null, path: string, depth: number): unknown {
    const at = node?.range?.[0] ?? 0;
    this.#values += 1;
    if (this.#values > yamlLimits.maxValues) {
      throw this.#error(at, tooMany);
    }
    if (depth > yamlLimits.maxDepth) throw this.#tooDeep(at);
    if (isAlias(node)) return this.#alias(node, path, depth);
    if (path !== '' && !this.#sources.has(path)) this.#sources.set(path, this.#place(at));
    if (isMap(node)) return this.#mapping(node.items, path, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) => this.#value(item as Node | null, `${path}[${index}]`, depth + 1));
    }
    return isScalar(node) ? node.value : null;
  }

  #mapping(items: readonly { key: unknown; value: unknown }[], path: string, depth: number): ConfigTree {
    const tree: ConfigTree = {};
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : '';
      const at = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
      if (name === '') throw this.#error(at, 'a key is empty or not plain text');
      if (isRefusedKey(name)) throw this.#error(at, `key ${JSON.stringify(name)} is refused`);
      if (Object.hasOwn(tree, name)) throw this.#error(at, 'a key stands twice in one mapping');
      const below = joinPath(path, name);
      this.#sources.set(below, this.#place(at));
      tree[name] = this.#value(value as Node | null, below, depth + 1);
    }
    return tree;
  }

  #alias(node: Node, path: string, depth: number): unknown {
    const at = node.range?.[0] ?? 0;
    this.#aliases += 1;
    if (this.#aliases > yamlLimits.maxAliases) throw this.#error(at, `more than ${yamlLimits.maxAliases} aliases`);
    const target = isAlias(node) && this.#document !== undefined ? node.resolve(this.#document) : undefined;
    if (target === undefined) throw this.#error(at, 'an alias without its anchor');
    return this.#value(target, path, depth + 1);
  }

  #tooDeep(at: number): ConfigError {
    return this.#error(at, tooDeep);
  }

  #place(at: number): string {
    return `${this.source.origin}:${this.#lines.linePos(at).line || 1}`;
  }

  #error(at: number, message: string): ConfigError {
    return ConfigError.of(this.#place(at), message);
  }
}

function isNothing(node: Node): boolean {
  return isScalar(node) && node.value === null;
}
