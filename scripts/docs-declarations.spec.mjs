import { describe, expect, it } from 'vitest';
import { cell, classesIn, membersOf, table } from './docs-declarations.mjs';

const declarations = `import { A } from './a.js';
/** Not of a class. */
export declare const x = 1;
/**
 * The first. It has two sentences,
 * on two lines.
 *
 * @see https://example.com
 */
export declare class First extends Base {
    /** How many, in ms. */
    readonly count: number;
    /** Which ones. */
    readonly names?: readonly string[];
    readonly bare: boolean;
    static override readonly reason = 'X';
    method(): void;
}
export declare abstract class Second<T> {
}
declare class Hidden {
}
`;

describe('classesIn', () => {
  it('finds exported classes with their bases and docstrings', () => {
    const classes = classesIn(declarations).map(({ name, base, text }) => ({ name, base, text }));

    expect(classes).toEqual([
      { name: 'First', base: 'Base', text: 'The first. It has two sentences, on two lines.' },
      { name: 'Second', base: undefined, text: '' },
    ]);
  });
});

describe('membersOf', () => {
  it('finds properties with their types and docstrings, in their order', () => {
    const [first] = classesIn(declarations);

    expect([...membersOf(first?.body ?? '')]).toEqual([
      ['count', { text: 'How many, in ms.', type: 'number' }],
      ['names', { text: 'Which ones.', type: 'readonly string[]' }],
      ['bare', { text: '', type: 'boolean' }],
    ]);
  });
});

describe('table', () => {
  it('keeps bars out of the structure', () => {
    expect(cell('a | b')).toBe('a \\| b');
    expect(table(['x'], [['a|b']])).toBe('| x |\n| --- |\n| a\\|b |');
  });
});
