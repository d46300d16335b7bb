import { createHmac } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openResources, untilReleased } from './open-resources.js';
import { signTestToken, testSecret } from './test-token.js';

describe('signTestToken', () => {
  it('makes a signed HS256 token whose claims can be put in place and taken away', () => {
    const [header = '', payload = '', signature] = signTestToken({ scope: 'a b', exp: undefined }).split('.');

    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual({
      sub: 'tester',
      iat: expect.any(Number),
      scope: 'a b',
    });
    expect(signature).toBe(createHmac('sha256', testSecret).update(`${header}.${payload}`).digest('base64url'));
  });
});

describe('untilReleased', () => {
  it('waits for what is being closed', async () => {
    const before = openResources();
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');

    const released = untilReleased(before);
    server.close();

    await expect(released).resolves.toBeUndefined();
  });

  it('names what is left open', async () => {
    const before = openResources();
    const timer = setInterval(() => {}, 1000);

    await expect(untilReleased(before, 20)).rejects.toThrow('still open after 20 ms: 1 × Timeout');

    clearInterval(timer);
  });
});
