import { Lexer } from 'yaml';

const scalarFollows = '\x1f';
const flowEnds = '\x18';
// The lexer's own: beginning of a document, and these.
const notes: ReadonlySet<string> = new Set(['\u{feff}', '\x02', scalarFollows, flowEnds]);
// What stands between the parts of a document for the eye.
const light = /^(?:[ \t]+|\r?\n|#.*)$/;
// Key, colon, value, dash or comma, anchor, tag, two brackets: more is no document.
const mostPerValue = 8;

/** Where a document becomes more than its limits allow. */
export interface HeavyPart {
  readonly at: number;
  readonly what: 'depth' | 'values';
}

/**
 * Finds out by the lexer alone, which is some ten times as fast as the parser, that a document cannot keep its limits: the parser
 * takes seconds for a mebibyte of brackets, in which the process does nothing else. What passes may still break them.
 */
export function heavyPart(
  text: string,
  { maxDepth, maxValues }: { readonly maxDepth: number; readonly maxValues: number },
): HeavyPart | undefined {
  let at = 0;
  let depth = 0;
  let weight = 0;
  // There is a value behind each colon and each dash, and one before each comma, which may be one of those.
  let values = 0;
  let items = 0;
  let isScalar = false;
  for (const token of new Lexer().lex(text)) {
    const isNote: boolean = !isScalar && notes.has(token);
    if (isScalar || !(isNote || light.test(token))) weight += 1;
    if (!isScalar && (token === ':' || token === '-')) values += 1;
    if (!isScalar && token === ',') items += 1;
    if (Math.max(values, items, weight / mostPerValue) > maxValues) return { at, what: 'values' };
    if (!isScalar && (token === '[' || token === '{')) depth += 1;
    if (!isScalar && (token === ']' || token === '}')) depth -= 1;
    if (isNote && token === flowEnds) depth = 0;
    // The outermost one is on level 0.
    if (depth > maxDepth + 1) return { at, what: 'depth' };
    isScalar = isNote && token === scalarFollows;
    if (!isNote) at += token.length;
  }
  return undefined;
}
