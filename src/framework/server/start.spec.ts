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
  const init = {
    name: 'demo',
    env: 'development',
    address: '127.0.0.1:1',
    host: '127.0.0.1',
    management: undefined,
    docs: 'open',
    isTls: false,
    samples: { path: '/x', rpc: 'a.B/C', message: '{"id": 1}' },
    token: 'abc',
  } as const;

  it('has a request for each face and the token', () => {
    const text = bannerLines(init).join('\n');

    expect(text).toContain('curl http://127.0.0.1:1/x');
    expect(text).toContain(`grpcurl -plaintext -d '{"id": 1}' 127.0.0.1:1 a.B/C`);
    expect(text).toContain('abc');
  });

  it.each([
    ['127.0.0.1', /demo is ready \(development\), on this machine only$/m],
    ['::1', /, on this machine only$/m],
    ['192.0.2.7', /, on 192\.0\.2\.7$/m],
    ['0.0.0.0', /, on every address of this machine \(0\.0\.0\.0[^)]*\)$/m],
    ['::', /, on every address of this machine \(::[^)]*\)$/m],
  ])('says who reaches a service that listens on %s', (host, expected) => {
    expect(bannerLines({ ...init, host }).join('\n')).toMatch(expected);
  });

  it('names the docs page only where it is served, and the management port', () => {
    const text = bannerLines({ ...init, docs: 'off', management: '127.0.0.1:2' }).join('\n');

    expect(text).not.toContain('/docs');
    expect(text).toContain('http://127.0.0.1:2 (health, metrics, docs)');
    expect(bannerLines({ ...init, docs: 'token' }).join('\n')).toContain('/docs (with a token)');
  });
});
