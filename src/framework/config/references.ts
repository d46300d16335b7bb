import { ConfigError, type ConfigProblem } from './config.errors.js';
import { isTree, joinPath, type MergedConfig, type Origin, originOf, valueAt } from './layer.js';
import { isSecretProperty } from './problem.js';
import type { Environment } from './text-layers.js';

/** What references may cost. */
export const referenceLimits = {
  /** A reference to a reference to …: more is a mistake. */
  maxDepth: 16,
  /** All of a configuration, those inside of what is referred to counted each time. */
  maxReferences: 10_000,
  /** Values of the whole configuration, those inside of what is referred to counted each time. */
  maxValues: 200_000,
  /** Length of all texts that references are put into, in UTF-16 units. */
  maxTotalLength: 8_388_608,
  /** Length of a text that references are put into, in UTF-16 units. */
  maxLength: 1_048_576,
} as const;

// `$${` stands for `${`. What is inside has no brace of its own.
const pattern = /\$?\$\{([^{}]*)\}/g;
const whole = /^\$\{([^{}]*)\}$/;
const variable = /^[A-Z_][A-Z0-9_]*$/;

/**
 * Puts in what texts of files and remote sources refer to: `${server.host}` is the value at that path, whatever it is,
 * where it stands alone, and its text within a text; `${NAME}`, in capitals, is a variable of the environment, which is
 * then read as what its class declares; `${path:default}` and `${NAME:default}` do without. `$${` is `${` itself.
 * Values from the environment and the command line are taken as they are.
 *
 * @throws ConfigError names path, file and line of every reference that leads nowhere, round in circles or too far
 */
export function resolveReferences(merged: MergedConfig, environment: Environment): MergedConfig {
  return new Resolver(merged, environment).resolve();
}

/** As `resolveReferences()`, for one section only: the others may refer to what is not there yet. */
export function resolveSection(merged: MergedConfig, section: string, environment: Environment): MergedConfig {
  return new Resolver(merged, environment).resolve(section);
}

class Resolver {
  readonly #origins: Map<string, Origin>;
  readonly #problems: ConfigProblem[] = [];
  // Paths whose value is being worked out, the outermost first.
  readonly #trail: string[] = [];
  #references = 0;
  #values = 0;
  #length = 0;

  constructor(
    readonly merged: MergedConfig,
    readonly environment: Environment,
  ) {
    this.#origins = new Map(merged.origins);
  }

  resolve(section?: string): MergedConfig {
    const { tree: given } = this.merged;
    const tree =
      section === undefined
        ? (this.#value(given, '') as MergedConfig['tree'])
        : { ...given, [section]: this.#value(given[section], section) };
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    return { tree, origins: this.#origins };
  }

  #value(value: unknown, path: string): unknown {
    this.#values += 1;
    if (this.#values > referenceLimits.maxValues)
      return this.#refuse(path, `more than ${referenceLimits.maxValues} values, references written out`);
    if (Array.isArray(value)) return value.map((item, index) => this.#value(item, `${path}[${index}]`));
    if (isTree(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, this.#value(inner, joinPath(path, key))]),
      );
    }
    if (typeof value !== 'string' || !value.includes('${')) return value;
    const origin = originOf(this.merged.origins, path);
    if (origin?.isVerbatim === true) return value;
    const alone = whole.exec(value)?.[1];
    return alone === undefined ? this.#text(value, path) : this.#reference(alone, path);
  }

  #text(text: string, path: string): string {
    let length = 0;
    const result = text.replace(pattern, (match: string, inner: string) => {
      if (match.startsWith('$$')) return match.slice(1);
      const isFull = length > referenceLimits.maxLength || this.#length > referenceLimits.maxTotalLength;
      const value = isFull ? '' : this.#reference(inner, path);
      if (typeof value === 'object' && value !== null) {
        return this.#refuse(path, `\${${inner}} is a list or a mapping (expected: it stands alone)`);
      }
      const part = typeof value === 'string' ? value : JSON.stringify(value);
      length += part.length;
      this.#length += part.length;
      return part;
    });
    if (this.#length > referenceLimits.maxTotalLength) {
      return this.#refuse(path, `more than ${referenceLimits.maxTotalLength} characters, references written out`);
    }
    if (length > referenceLimits.maxLength) {
      return this.#refuse(path, `longer than ${referenceLimits.maxLength} characters with its references`);
    }
    return result;
  }

  #reference(inner: string, path: string): unknown {
    const colon = inner.indexOf(':');
    const name = (colon < 0 ? inner : inner.slice(0, colon)).trim();
    const fallback = colon < 0 ? undefined : inner.slice(colon + 1);
    this.#references += 1;
    if (this.#references > referenceLimits.maxReferences) {
      return this.#refuse(path, `more than ${referenceLimits.maxReferences} references`);
    }
    if (name.split('.').some((part) => isSecretProperty(undefined, part))) this.#mark(path, { isSecret: true });
    if (variable.test(name)) return this.#variable(name, fallback, path);
    const target = valueAt(this.merged.tree, name);
    if (target !== undefined) return this.#follow(name, target, path);
    if (fallback === undefined) return this.#refuse(path, `\${${name}} leads nowhere (expected: a path that is set)`);
    this.#readAsText(path);
    return fallback;
  }

  #variable(name: string, fallback: string | undefined, path: string): unknown {
    const value = this.environment[name];
    const text = value === undefined || value === '' ? fallback : value;
    if (text === undefined) return this.#refuse(path, `\${${name}} is not set (expected: a variable, or a default)`);
    this.#readAsText(path);
    return text;
  }

  #follow(name: string, held: unknown, path: string): unknown {
    const trail = [...this.#trail, path];
    // Also what holds the path at hand: it would hold itself.
    const round = trail.find((each) => each === name || each.startsWith(`${name}.`) || each.startsWith(`${name}[`));
    if (round !== undefined) return this.#refuse(path, `refers to itself: ${[...trail, name].join(' -> ')}`);
    if (trail.length > referenceLimits.maxDepth) {
      return this.#refuse(path, `references more than ${referenceLimits.maxDepth} deep`);
    }
    this.#trail.push(path);
    try {
      const value = this.#value(held, name);
      const target = originOf(this.#origins, name);
      if (target?.isText === true) this.#readAsText(path);
      if (target?.isSecret === true) this.#mark(path, { isSecret: true });
      return value;
    } finally {
      this.#trail.pop();
    }
  }

  #readAsText(path: string): void {
    this.#mark(path, { isText: true });
  }

  #mark(path: string, mark: Partial<Origin>): void {
    const origin = originOf(this.#origins, path);
    if (origin !== undefined) this.#origins.set(path, { ...origin, ...mark });
  }

  #refuse(path: string, message: string): string {
    const source = originOf(this.merged.origins, path)?.source;
    const from = source === undefined ? '' : ` (from ${source})`;
    const text = `${path}: ${message}${from}`;
    // What is referred to is looked at again wherever it is.
    if (this.#problems.length < 50 && !this.#problems.some((problem) => problem.message === text)) {
      this.#problems.push({ path, message: text, source });
    }
    return '';
  }
}
