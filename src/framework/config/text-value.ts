import type { OptionsShape, ValueKind } from './options-shape.js';

const trueWords: ReadonlySet<string> = new Set(['true', 'yes', 'on', '1']);
const falseWords: ReadonlySet<string> = new Set(['false', 'no', 'off', '0']);

/**
 * Reads a text from the environment or the command line as what the config class expects: decimal numbers, `true` /
 * `yes` / `on` / `1` and their contraries, lists separated by commas (or as JSON), nested classes as JSON.
 *
 * @returns the text itself where it cannot be read so; validation then says what was expected
 */
export function readText(text: string, property: string, shape: OptionsShape): unknown {
  const kind = shape.kindOf(property);
  if (kind === 'structure') return fromJson(text) ?? text;
  if (kind !== 'list') return readScalar(text, kind);
  return fromJson(text) ?? items(text).map((item) => readScalar(item, shape.itemKindOf(property)));
}

function items(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** @returns the number or truth value that the text says, else the text itself */
export function readScalar(text: string, kind: ValueKind): unknown {
  const word = text.trim().toLowerCase();
  if (kind === 'number') return /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/.test(word) ? Number(word) : text;
  if (kind !== 'boolean') return text;
  if (trueWords.has(word)) return true;
  return falseWords.has(word) ? false : text;
}

function fromJson(text: string): object | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    // A reviver sees every key, so nothing that reaches a prototype gets in.
    return JSON.parse(text, (key, value: unknown) => (key === '__proto__' ? undefined : value)) as object;
  } catch {
    return undefined;
  }
}
