import { describe, expect, it } from 'vitest';
import { bannerLines } from './banner.js';
import { assertNodeVersion } from './node-version.js';
import { startLines, startStacks } from './start-error.js';

describe('startLines', () => {
  it('tells a taken address in words', () => {
    const error = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE', address: '127.0.0.1', port: 80 });

    expect(startLines(error)).toEqual([
      'cannot listen on 127.0.0.1:80: the address is in use (another process, or PORT is wrong)',
    ]);
  });

  it('gives message and cause, never a stack', () => {
    expect(startLines(new Error('no database', { cause: new Error('refused') }))).toEqual(['no database (refused)']);
  });
});

describe('startStacks', () => {
  it('gives the stack of an error and of its causes, each once, also in a ring', () => {
    const below = new Error('refused');
    const error = new Error('no database', { cause: below });
    below.cause = error;
    const stacks = startStacks(error);

    expect(stacks).toHaveLength(10);
    expect(stacks[0]).toMatch(/^Error: no database\n {4}at /);
    expect(stacks[1]).toMatch(/^caused by Error: refused\n {4}at /);
  });

  it('gives none of what is no error', () => {
    expect(startStacks('text')).toEqual([]);
  });
});

describe('assertNodeVersion', () => {
  it.each(['24.15.0', '24.21.0', '25.0.0'])('takes %s', (version) => {
    expect(() => assertNodeVersion(version)).not.toThrow();
  });

  it.each(['20.20.2', '24.14.9'])('refuses %s by name', (version) => {
    expect(() => assertNodeVersion(version)).toThrow(`Node.js ${version} (expected: >= 24.15)`);
  });
});

describe('bannerLines', () => {
  it('has a request for each face and the token', () => {
    const text = bannerLines({
      name: 'demo',
      env: 'development',
      address: '127.0.0.1:1',
      isTls: false,
      samples: { path: '/x', rpc: 'a.B/C', message: '{"id": 1}' },
      token: 'abc',
    }).join('\n');

    expect(text).toContain('curl http://127.0.0.1:1/x');
    expect(text).toContain(`grpcurl -plaintext -d '{"id": 1}' 127.0.0.1:1 a.B/C`);
    expect(text).toContain('abc');
  });
});
