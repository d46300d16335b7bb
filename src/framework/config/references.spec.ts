import { describe, expect, it } from 'vitest';
import { ConfigError } from './config.errors.js';
import { propertiesLayer } from './properties-layer.js';
import { resolveReferences } from './references.js';

function messagesOf(tree: Record<string, unknown>): readonly string[] {
  try {
    resolveReferences({ tree, origins: new Map() }, {});
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
    throw error;
  }
  return [];
}

const list = (length: number, item: unknown): unknown[] => Array.from({ length }, () => item);

describe('references', () => {
  it('are written out up to as many values as a configuration may have', () => {
    expect(messagesOf({ many: list(10_000, 1), all: list(5, '${many}') })).toEqual([]);

    const messages = messagesOf({ many: list(10_000, 1), all: list(2000, '${many}') });

    expect(messages).toContainEqual(expect.stringContaining('more than 200000 values, references written out'));
    expect(messages.length).toBeLessThanOrEqual(50);
  });

  it('are put into texts up to the length that all of them may have', () => {
    const text = 'x'.repeat(1_000_000);

    expect(messagesOf({ text, all: list(8, 'a ${text}') })).toEqual([]);
    expect(messagesOf({ text, all: list(1000, 'a ${text}') })).toContainEqual(
      expect.stringContaining('more than 8388608 characters, references written out'),
    );
  });
});

describe('a line of properties that is nothing but backslashes', () => {
  it('is read in a time that grows with its length', () => {
    const before = process.threadCpuUsage();

    propertiesLayer(`a = ${'\\'.repeat(1_000_000)}x`, { name: 'p', kind: 'remote', origin: 'p' } as never);

    const { user, system } = process.threadCpuUsage(before);
    // 100 ms on an idle machine; where the square of the length counted it was minutes.
    expect((user + system) / 1000).toBeLessThan(2000);
  });
});
