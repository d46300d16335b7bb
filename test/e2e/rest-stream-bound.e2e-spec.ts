import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, describe, it } from 'vitest';
import { Attacker } from '../support/attacker.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { ReferenceApp } from '../support/reference-app.js';
import { inUse, refusals } from '../support/service-figures.js';

let app: ReferenceApp;

beforeAll(async () => {
  app = await ReferenceApp.start({ 'server.limits.maxConcurrentStreams': 8 });
  // More than the buffers of two kernels take.
  await writeFile(join(app.files, 'large.bin'), Buffer.alloc(64 * 1024 * 1024));
});

afterAll(() => app.close());

const download = 'GET /api/v1/files/large.bin HTTP/1.1\r\nhost: a\r\n\r\n';

describe('responses that are written in parts', () => {
  it.each(['HTTP/1.1', 'HTTP/2'])(
    'count as streams, and are refused as a whole where there is no room: %s',
    async (version) => {
      const slow = new Attacker('127.0.0.2', app.test.port);
      const before = await refusals(app.url, 'streams');
      const sockets =
        version === 'HTTP/1.1'
          ? await slow.connections(8, download, false)
          : [(await slow.streams(8, '/api/v1/files/large.bin', {}, { method: 'GET', windowBytes: 1000 })).socket];
      await eventually('some are open, and the others refused', async () => {
        return (await inUse(app.url, 'streams')) >= 1 && (await refusals(app.url, 'streams')) > before;
      });
      await eventually('none of them is at work', async () => (await inUse(app.url, 'requests')) === 0);

      expect(await inUse(app.url, 'streams')).toBeLessThanOrEqual(4);
      expect(sockets.length).toBeGreaterThan(0);
      // Unary requests have their room, and so has another download from elsewhere.
      expect((await http(app.url, { path: '/api/v1/users/1' })).status).toBe(200);
      expect((await http(app.url, { path: '/api/v1/files/sample.bin' })).status).toBe(200);
      slow.close();
      await eventually('nothing is in use', async () =>
        [
          await inUse(app.url, 'streams'),
          await inUse(app.url, 'waiting'),
          await inUse(app.url, 'bytes'),
          app.inFlight,
        ].every((value) => value === 0),
      );
    },
  );

  it('are refused by an envelope of their own, with nothing of the response that it takes the place of', async () => {
    const slow = new Attacker('127.0.0.1', app.test.port);
    await slow.connections(8, download, false);
    await eventually('some are open', async () => (await inUse(app.url, 'streams')) >= 4);

    const path = '/api/v1/files/large.bin';
    const { status, headers, json } = await http(app.url, { path });
    const asProblem = await http(app.url, { path, headers: { accept: 'application/problem+json' } });
    slow.close();

    expect([
      status,
      headers['retry-after'],
      headers['content-type'],
      headers.etag,
      headers['content-disposition'],
    ]).toEqual([429, '1', 'application/json; charset=utf-8', undefined, undefined]);
    expect(json).toMatchObject({
      code: 429,
      data: null,
      reason: 'CLIENT_SHARE_EXCEEDED',
      message: 'share of this peer exceeded: streams',
    });
    expect(asProblem.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(asProblem.json).toMatchObject({ status: 429, reason: 'CLIENT_SHARE_EXCEEDED' });
  });
});
