import { describe, expect, it } from 'vitest';
import { DecompressionTurns } from './decompression-turns.js';

/** Work that ends when it is told to. */
function works(turns: DecompressionTurns) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const begin = (connection: string, name: string): Promise<string> =>
    turns.run(connection, async () => {
      begun.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.set(name, resolve);
      await promise;
      return name;
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    // The next begins within a few turns of the microtask queue.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, begin, end };
}

describe('DecompressionTurns', () => {
  it('has two messages of a connection decompressed at a time, and four of all', async () => {
    const turns = new DecompressionTurns();
    const { begun, begin } = works(turns);

    for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'd1']) void begin(name.charAt(0), name);

    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1']);
    expect(turns.running).toBe(4);
  });

  it('serves connections in turn, however many one has', async () => {
    const turns = new DecompressionTurns();
    const { begun, begin, end } = works(turns);
    const results = [
      ...Array.from({ length: 50 }, (_, index) => begin('a', `a${index}`)),
      ...['b0', 'b1', 'c0', 'c1', 'c2'].map((name) => begin(name.charAt(0), name)),
    ];

    for (let done = 0; done < begun.length; done++) await end(begun[done] as string);

    expect(begun.slice(0, 8)).toEqual(['a0', 'a1', 'b0', 'b1', 'a2', 'c0', 'a3', 'c1']);
    expect(await Promise.all(results)).toHaveLength(55);
    expect(turns.running).toBe(0);
  });

  it('goes on after work that fails', async () => {
    const turns = new DecompressionTurns();
    const failing = Array.from({ length: 6 }, () => turns.run('a', () => Promise.reject(new Error('not gzip'))));

    for (const each of failing) await expect(each).rejects.toThrow('not gzip');
    expect(await turns.run('a', () => Promise.resolve(1))).toBe(1);
    expect(turns.running).toBe(0);
  });
});
