import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EditedApp } from '../support/edited-app.js';
import { callWeb, type WebAnswer, type WebVersion } from '../support/grpc-web-caller.js';

const page = 'https://app.example.com';
const other = 'https://other.example.com';
const faces = { REST: '/trial/context', 'gRPC-Web': '/trial.service.v1.TrialService/Inspect' } as const;

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start();
});

afterAll(() => app.close());

describe.each<WebVersion>(['HTTP/1.1', 'HTTP/2'])('http.cors on %s', (version) => {
  describe.each(Object.entries(faces))('%s', (face, path) => {
    const preflight = (origin: string, method = 'POST'): Promise<WebAnswer> =>
      callWeb(version, app.test.address, {
        method: 'OPTIONS',
        path,
        headers: {
          origin,
          'access-control-request-method': method,
          'access-control-request-headers': 'content-type,x-own',
        },
      });
    const call = (origin: string): Promise<WebAnswer> =>
      face === 'REST'
        ? callWeb(version, app.test.address, { method: 'GET', path, headers: { origin } })
        : callWeb(version, app.test.address, {
            path,
            headers: { origin, 'content-type': 'application/grpc-web+proto' },
            chunks: [Buffer.alloc(5)],
          });
    const allowed = async (origin: string): Promise<unknown[]> =>
      (await Promise.all([preflight(origin), call(origin)])).map(
        ({ headers }) => headers['access-control-allow-origin'],
      );

    it('lets in who is named while the service runs, and nobody who is named no more', async () => {
      await app.edit({ 'http.cors': undefined });
      expect(await allowed(page)).toEqual([undefined, undefined]);

      await app.edit({ 'http.cors': { origins: [page] } });
      expect(await allowed(page)).toEqual([page, page]);
      expect(await allowed(other)).toEqual([undefined, undefined]);
      await app.edit({ 'http.cors': { origins: [other] } });
      expect(await allowed(page)).toEqual([undefined, undefined]);
      expect(await allowed(other)).toEqual([other, other]);
      await app.edit({ 'http.cors': { origins: ['*'] } });
      expect(await allowed(page)).toEqual([page, page]);
      expect((await call(page)).headers.vary).toMatch(/\borigin\b/i);
    });

    it('tells the preflight what holds now: headers, credentials, methods, time to keep it', async () => {
      await app.edit({ 'http.cors': { origins: [page] } });
      const before = (await preflight(page)).headers;
      await app.edit({
        'http.cors': { origins: [page], headers: ['x-own'], methods: ['DELETE'], credentials: true, maxAgeSeconds: 5 },
      });
      const after = await preflight(page);

      expect(before).toMatchObject({
        'access-control-allow-headers': 'content-type,x-own',
        'access-control-max-age': '600',
        'access-control-allow-methods': face === 'REST' ? 'GET, HEAD, POST, PUT, PATCH, DELETE' : 'POST',
        vary: expect.stringMatching(/origin,.*access-control-request-headers/i) as unknown,
      });
      expect(before['access-control-allow-credentials']).toBeUndefined();
      expect(after.status).toBe(204);
      expect(after.headers).toMatchObject({
        'access-control-allow-headers': 'x-own',
        'access-control-max-age': '5',
        'access-control-allow-methods': face === 'REST' ? 'DELETE' : 'POST',
        'access-control-allow-credentials': 'true',
      });
      expect((await call(page)).headers['access-control-allow-credentials']).toBe('true');
    });

    it('does not take credentials together with any origin: what was before stays', async () => {
      await app.edit({ 'http.cors': { origins: [page], maxAgeSeconds: 7 } });

      const outcome = await app.tryEdit({ 'http.cors': { origins: ['*'], credentials: true } });

      expect(outcome).toMatchObject({
        source: 'files',
        message: expect.stringMatching(/^http[.]cors[.]credentials: .*false while origins has \*/) as unknown,
      });
      expect(await allowed(other)).toEqual([undefined, undefined]);
      expect((await preflight(page)).headers['access-control-max-age']).toBe('7');
    });
  });

  it('lets pages of REST read the headers that are named now', async () => {
    const exposed = async (): Promise<unknown> =>
      (await callWeb(version, app.test.address, { method: 'GET', path: faces.REST, headers: { origin: page } }))
        .headers['access-control-expose-headers'];
    await app.edit({ 'http.cors': { origins: [page] } });
    expect(await exposed()).toBe('x-request-id, retry-after');
    await app.edit({ 'http.cors': { origins: [page], exposedHeaders: ['etag'] } });
    expect(await exposed()).toBe('etag');
  });

  it('takes an OPTIONS that is no preflight for a request like all', async () => {
    await app.edit({ 'http.cors': { origins: [page], maxAgeSeconds: 8 } });

    const { status, headers } = await callWeb(version, app.test.address, {
      method: 'OPTIONS',
      path: faces.REST,
      headers: { origin: page },
    });

    expect([status, headers.allow, headers['access-control-allow-origin']]).toEqual([204, 'OPTIONS, GET, HEAD', page]);
    expect(headers['access-control-allow-methods']).toBeUndefined();
  });

  it.each([
    ['https://app.example.com/'],
    ['https://app.example.com/page'],
    ['app.example.com'],
    ['null'],
    ['https://*'],
  ])('does not take %s for an origin', async (origin) => {
    await app.edit({ 'http.cors': { origins: [page] } });
    const outcome = await app.tryEdit({ 'http.cors': { origins: [page, origin] } });

    expect(outcome).toMatchObject({
      message: expect.stringMatching(/^http[.]cors[.]origins.*scheme:.*in lower case, without a path/) as unknown,
    });
  });
});
