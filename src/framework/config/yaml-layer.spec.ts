import { describe, expect, it } from 'vitest';
import { ConfigError } from './config.errors.js';
import type { ConfigLayer } from './layer.js';
import { yamlLayer } from './yaml-layer.js';

const read = (text: string): ConfigLayer => yamlLayer(text, { name: 'application', kind: 'file', origin: 'a.yaml' });

function complaint(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message).join('\n');
    throw error;
  }
  return 'no complaint';
}

describe('yamlLayer', () => {
  it('reads mappings, lists and scalars, and remembers the line of each', () => {
    const layer = read('server:\n  port: 8080\n  hosts:\n    - a\n    - b\nlog: { level: info }\n');

    expect(layer.tree).toEqual({ server: { port: 8080, hosts: ['a', 'b'] }, log: { level: 'info' } });
    expect(layer.sources.get('server.port')).toBe('a.yaml:2');
    expect(layer.sources.get('server.hosts[1]')).toBe('a.yaml:5');
    expect(layer.sources.get('log.level')).toBe('a.yaml:6');
  });

  it.each([[''], ['\n# nothing yet\n'], ['null'], ['---\n']])(
    'takes the empty document %j as an empty layer',
    (text) => {
      expect(read(text).tree).toEqual({});
    },
  );

  it('reads YAML 1.2, where `no` and a date are texts', () => {
    expect(read('country: no\nday: 2026-01-02').tree).toEqual({ country: 'no', day: '2026-01-02' });
  });

  it('writes out aliases', () => {
    expect(read('a: &x { b: 1 }\nc: *x').tree).toEqual({ a: { b: 1 }, c: { b: 1 } });
  });

  it.each([
    ['a key that stands twice', 'a: 1\nb: 2\na: 3', 'a.yaml:3: a key stands twice in one mapping'],
    ['a text at the top', 'just text', 'a.yaml:1: not a mapping (expected: `section:` with keys below it)'],
    ['a list at the top', '- a', 'a.yaml:1: not a mapping (expected: `section:` with keys below it)'],
    ['a second document', 'a: 1\n---\nb: 2', 'a.yaml:2: more than one document (expected: one)'],
    ['an unknown tag', 'a: !!js/function hunter2', 'a.yaml:1: unknown tag (expected: plain YAML)'],
    ['a binary tag', 'a: !!binary aHVudGVyMg==', 'a.yaml:1: unknown tag (expected: plain YAML)'],
    ['a key that is no text', '? [a]\n: 1', 'a.yaml:1: a key is not text'],
    ['a tab', 'a:\n\tb: 1', 'a.yaml:2: indented with a tab (expected: spaces)'],
    ['__proto__', 'a:\n  __proto__: { admin: true }', 'a.yaml:2: key "__proto__" is refused'],
    ['constructor', 'constructor: 1', 'a.yaml:1: key "constructor" is refused'],
    ['prototype', 'prototype: 1', 'a.yaml:1: key "prototype" is refused'],
    ['an alias without anchor', 'a: *x', 'a.yaml:1: an alias without its anchor'],
    ['an alias of itself', 'a: &x [*x]', 'a.yaml:1: nested deeper than 32 levels'],
    ['33 levels', `a: ${'['.repeat(33)}${']'.repeat(33)}`, 'a.yaml:1: nested deeper than 32 levels'],
    ['2000 levels', `a: ${'['.repeat(2000)}${']'.repeat(2000)}`, 'a.yaml:1: nested deeper than 32 levels'],
    [
      'a broken quote',
      'password: "hunter2\nb: 1',
      'a.yaml:2: not valid YAML: a character is missing, such as a closing quote, a comma or a bracket',
    ],
    ['1 MiB + 1', `a: ${'x'.repeat(1_048_574)}`, 'a.yaml: 1048577 bytes (expected: at most 1048576)'],
  ])('refuses %s', (_what, text, expected) => {
    expect(complaint(text)).toBe(expected);
  });

  it('refuses an alias bomb before it is written out', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 10; i += 1)
      bomb.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`);

    expect(complaint(bomb.join('\n'))).toMatch(/^a\.yaml:\d+: more than 100 aliases$/);
  });

  it('finds a key that stands twice among very many', () => {
    const text = Array.from({ length: 19_000 }, (_, index) => `k${index}: 1`).join('\n');

    expect(complaint(`${text}\nk0: 1`)).toBe('a.yaml:19001: a key stands twice in one mapping');
  });

  it('refuses more values than a configuration has', () => {
    expect(complaint(`a: [${'1,'.repeat(20_000)}]`)).toBe('a.yaml:1: more than 20000 values, aliases counted in full');
  });

  it('quotes nothing of the document, whatever is wrong with it', () => {
    for (const text of [
      'hunter2: [',
      '"hunter2',
      '@hunter2',
      'a: hunter2: hunter2',
      '%hunter2',
      'a: *hunter2',
      '{ hunter2',
      '- hunter2\nb',
    ]) {
      expect(complaint(text)).not.toContain('hunter2');
      expect(complaint(text)).toMatch(/^a\.yaml:\d+: /);
    }
  });
});

describe('a document that is nothing but work for the parser', () => {
  // A process does nothing else meanwhile. CPU time, as others use the machine too; the parser alone takes seconds for each.
  const mostMs = 2500;

  it.each([
    ['brackets', 'a: 1\nb: ' + '['.repeat(1_000_000), /^doc:2: nested deeper than 32 levels/],
    ['braces', '{a: '.repeat(250_000), /^doc:1: nested deeper than 32 levels/],
    ['items', `a: [${'1,'.repeat(500_000)}]`, /^doc:1: more than 20000 values/],
    ['dashes', '- '.repeat(500_000), /^doc:1: more than 20000 values/],
    ['keys', Array.from({ length: 80_000 }, (_, index) => `k${index}:`).join('\n'), /^doc:\d+: more than 20000 values/],
  ])('of %s is refused soon', (_what, text, message) => {
    const before = process.cpuUsage();

    expect(() => yamlLayer(text, { name: 'doc', kind: 'remote', origin: 'doc' })).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ message: expect.stringMatching(message) })] }),
    );

    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(mostMs);
  });

  it('is not one of brackets within texts and comments', () => {
    const text = `# ${'['.repeat(1000)}\na: "${'['.repeat(1000)}"\nb: |\n  ${'{'.repeat(1000)}\nc: '['\nd: x[[[[[[[[\ne: [[1], [2]]`;

    expect(yamlLayer(text, { name: 'doc', kind: 'remote', origin: 'doc' }).tree).toMatchObject({
      c: '[',
      e: [[1], [2]],
    });
  });
});
