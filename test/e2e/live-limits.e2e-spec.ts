import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EditedApp } from '../support/edited-app.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { RawConnection } from '../support/raw-connection.js';
import { TrialService } from '../support/trial-proto.js';
import { TrialState } from '../support/trial-state.js';

const rpc = {
  order: methodOf(TrialService, 'PlaceOrder'),
  inspect: methodOf(TrialService, 'Inspect'),
  fail: methodOf(TrialService, 'Fail'),
  failStream: methodOf(TrialService, 'FailStream'),
};

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start();
});

afterAll(() => app.close());

/** Time limits that a handler sees on REST and on gRPC, in ms; rounded, for some of it has passed. */
async function limits(timeoutS?: number): Promise<number[]> {
  const headers: Record<string, string> = timeoutS === undefined ? {} : { 'request-timeout': String(timeoutS) };
  const answer = await http(app.url, { path: '/trial/context', headers });
  const call = await app.caller.call(
    rpc.inspect,
    [{}],
    timeoutS === undefined ? { timeoutMs: Number.POSITIVE_INFINITY } : { timeoutMs: timeoutS * 1000 },
  );
  const texts = [(answer.json as { data: { text: string } }).data.text, (call.messages[0] as { text: string }).text];
  return texts.map((text) => Math.ceil((JSON.parse(text) as { remainingMs: number }).remainingMs / 1000) * 1000);
}

describe('server.limits while the service runs', () => {
  it('requestTimeoutMs and maxTimeoutMs hold for the next request on both faces', async () => {
    expect(await limits()).toEqual([30_000, 30_000]);
    await app.edit({ 'server.limits.requestTimeoutMs': 5000 });
    expect(await limits()).toEqual([5000, 5000]);
    await app.edit({ 'server.limits.maxTimeoutMs': 2000 });
    expect(await limits(60)).toEqual([2000, 2000]);
    await app.edit({ 'server.limits.requestTimeoutMs': undefined, 'server.limits.maxTimeoutMs': undefined });
  });

  it('requestTimeoutMs leaves alone what began before the change', async () => {
    const state = app.test.service.app.get(TrialState, { strict: false });
    const waiting = state.told('waiting');
    const running = app.caller.call(rpc.fail, [{ mode: 'untilAborted' }], { serverTimeoutMs: 1500 });
    await waiting;
    await app.edit({ 'server.limits.requestTimeoutMs': 300 });

    const [answer, call] = await Promise.all([
      http(app.url, { method: 'POST', path: '/trial/fail', body: { mode: 'untilAborted' } }),
      app.caller.call(rpc.fail, [{ mode: 'untilAborted' }], { timeoutMs: Number.POSITIVE_INFINITY }),
    ]);

    expect([answer.status, call.failure?.status]).toEqual([504, 'DEADLINE_EXCEEDED']);
    expect((await running).failure?.message).toContain('1500');
    await app.edit({ 'server.limits.requestTimeoutMs': undefined });
  });

  it('streamTimeoutMs holds for the next stream', async () => {
    await app.edit({ 'server.limits.streamTimeoutMs': 200 });

    const { failure } = await app.caller.call(rpc.failStream, [{ mode: 'untilAborted', count: 1 }], {
      timeoutMs: Number.POSITIVE_INFINITY,
    });

    expect(failure).toMatchObject({ status: 'DEADLINE_EXCEEDED' });
    await app.edit({ 'server.limits.streamTimeoutMs': undefined });
  });

  it('maxBodyBytes holds for the next request on both faces, announced or not', async () => {
    const order = { title: 'x'.repeat(50), tags: ['one tag', 'another'] };
    const body = JSON.stringify(order);
    const tried = async (): Promise<unknown[]> => {
      const path = '/trial/orders';
      const headers = { 'content-type': 'application/json' };
      const caller = await Http2Caller.connect(app.url);
      const http2Headers = { ':method': 'POST', ':path': path, ...headers };
      const [announced, chunked, overHttp2, call] = await Promise.all([
        http(app.url, { method: 'POST', path, headers, body }),
        http(app.url, { method: 'POST', path, headers: { ...headers, 'transfer-encoding': 'chunked' }, body }),
        caller.request(http2Headers, body),
        app.caller.call(rpc.order, [order]),
      ]);
      caller.close();
      return [announced.status, chunked.status, overHttp2.status, call.failure?.reason];
    };
    await app.edit({ 'server.limits.maxBodyBytes': 64 });
    expect(await tried()).toEqual([413, 413, 413, 'REQUEST_TOO_LARGE']);
    await app.edit({ 'server.limits.maxBodyBytes': 4_000_000 });
    expect(await tried()).toEqual([201, 201, 201, undefined]);
    const large = await http(app.url, {
      method: 'POST',
      path: '/trial/orders',
      body: { title: 'x'.repeat(2_000_000) },
    });
    expect([large.status, (large.json as { reason: string }).reason]).toEqual([400, 'VALIDATION_FAILED']);
    await app.edit({ 'server.limits.maxBodyBytes': undefined });
  });

  it('maxMessageElements and maxMessageDepth hold for the next message on gRPC', async () => {
    const order = { title: 'x', items: [1, 2, 3].map((quantity) => ({ name: 'a', quantity })) };
    const tried = async (): Promise<unknown> => {
      const { failure } = await app.caller.call(rpc.order, [order]);
      return failure && [failure.status, failure.reason, failure.message];
    };
    await app.edit({ 'server.limits.maxMessageElements': 2 });
    expect(await tried()).toEqual([
      'RESOURCE_EXHAUSTED',
      'TOO_MANY_ELEMENTS',
      'request message with more than 2 elements',
    ]);
    await app.edit({ 'server.limits.maxMessageElements': undefined, 'server.limits.maxMessageDepth': 1 });
    expect(await tried()).toEqual([
      'INVALID_ARGUMENT',
      'MESSAGE_TOO_DEEP',
      'request message nested deeper than 1 levels',
    ]);
    await app.edit({ 'server.limits.maxMessageDepth': undefined });
    expect(await tried()).toBeUndefined();
  });

  it('maxHeaderBytes holds for the next connection on both versions of HTTP', async () => {
    const tried = async (bytes: number): Promise<unknown[]> => {
      const filler = 'x'.repeat(bytes);
      const caller = await Http2Caller.connect(app.url);
      const [one, two] = await Promise.all([
        http(app.url, { path: '/trial/context', headers: { filler } }),
        caller.request({ ':method': 'GET', ':path': '/trial/context', filler }),
      ]);
      caller.close();
      return [one.status, two.status];
    };
    await app.edit({ 'server.limits.maxHeaderBytes': 2000 });
    expect(await tried(3000)).toEqual([431, 431]);
    await app.edit({ 'server.limits.maxHeaderBytes': 40_000 });
    expect(await tried(30_000)).toEqual([200, 200]);
    await app.edit({ 'server.limits.maxHeaderBytes': undefined });
  });

  it('maxHeaderFields holds for the next connection on both versions of HTTP', async () => {
    const tried = async (): Promise<unknown[]> => {
      const headers = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x${i}`, 'a']));
      const caller = await Http2Caller.connect(app.url);
      const [one, two] = await Promise.all([
        http(app.url, { path: '/trial/context', headers }),
        caller.request({ ':method': 'GET', ':path': '/trial/context', ...headers }),
      ]);
      caller.close();
      return [one.text, two.text].map((text) => {
        const { code, reason, message } = JSON.parse(text) as Record<string, unknown>;
        return code === 200 ? code : [code, reason, message];
      });
    };
    await app.edit({ 'server.limits.maxHeaderFields': 19 });
    const refused = [431, 'HEADERS_TOO_LARGE', 'request headers have more than 19 fields'];
    expect(await tried()).toEqual([refused, refused]);
    await app.edit({ 'server.limits.maxHeaderFields': undefined });
    expect(await tried()).toEqual([200, 200]);
  });

  it('maxQueryParameters holds for the next request', async () => {
    const tried = async (query: string): Promise<unknown[]> => {
      const { status, json } = await http(app.url, { path: `/trial/context?${query}` });
      const { reason, message } = json as { reason?: string; message: string };
      return [status, reason, message];
    };
    await app.edit({ 'server.limits.maxQueryParameters': 2 });
    expect(await tried('mode=a&count=1&size=1')).toEqual([
      400,
      'TOO_MANY_QUERY_PARAMETERS',
      'query with more than 2 parameters',
    ]);
    expect(await tried('mode=a&count=1')).toEqual([200, undefined, 'success']);
    await app.edit({ 'server.limits.maxQueryParameters': undefined });
    expect(await tried('mode=a&count=1&size=1')).toEqual([200, undefined, 'success']);
  });

  it('maxMessageElements and maxMessageDepth hold for the next JSON body', async () => {
    const body = { title: 'x', items: [{ name: 'a', quantity: 1 }], tags: ['ab'] };
    const tried = async (): Promise<unknown[]> => {
      const { status, json } = await http(app.url, { method: 'POST', path: '/trial/orders', body });
      const { reason, message } = json as { reason?: string; message: string };
      return [status, reason, message];
    };
    // The body, its three fields, the item with its two and the tag.
    await app.edit({ 'server.limits.maxMessageElements': 6 });
    expect(await tried()).toEqual([413, 'TOO_MANY_ELEMENTS', 'request message with more than 6 elements']);
    await app.edit({ 'server.limits.maxMessageElements': undefined, 'server.limits.maxMessageDepth': 2 });
    expect(await tried()).toEqual([400, 'MESSAGE_TOO_DEEP', 'request message nested deeper than 2 levels']);
    await app.edit({ 'server.limits.maxMessageDepth': 3 });
    expect(await tried()).toEqual([201, undefined, 'success']);
    await app.edit({ 'server.limits.maxMessageDepth': undefined });
  });

  it('maxConcurrentRequests holds at once, also for those at work already', async () => {
    const state = app.test.service.app.get(TrialState, { strict: false });
    const waiting = state.told('waiting');
    const held = app.caller.open(rpc.fail, {});
    held.call.write({ mode: 'untilAborted' });
    held.call.end();
    held.call.resume();
    await waiting;
    await app.edit({ 'server.limits.maxConcurrentRequests': 1 });
    const [answer, call] = await Promise.all([
      http(app.url, { path: '/trial/context' }),
      app.caller.call(rpc.inspect, [{}]),
    ]);
    await app.edit({ 'server.limits.maxConcurrentRequests': undefined });
    const after = await http(app.url, { path: '/trial/context' });
    held.call.cancel();
    await held.ended;

    expect([answer.status, call.failure?.status, after.status]).toEqual([503, 'UNAVAILABLE', 200]);
  });

  it('firstByteTimeoutMs, headersTimeoutMs and bodyTimeoutMs hold for slow callers', async () => {
    const changed = { firstByteTimeoutMs: 150, headersTimeoutMs: 300, bodyTimeoutMs: 300 };
    await app.edit(Object.fromEntries(Object.entries(changed).map(([name, ms]) => [`server.limits.${name}`, ms])));
    const head = 'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';

    const answers = await Promise.all(
      ['', head, `${head}content-length: 10\r\n\r\n{`].map(async (bytes) => {
        const connection = await RawConnection.open(app.test.port);
        connection.write(bytes);
        return (await connection.closed).toString().split('\r\n')[0];
      }),
    );

    expect(answers).toEqual(['', 'HTTP/1.1 408 Request Timeout', 'HTTP/1.1 408 Request Timeout']);
    await app.edit(Object.fromEntries(Object.keys(changed).map((name) => [`server.limits.${name}`, undefined])));
  });
});

describe('server while the service runs', () => {
  it('keepAliveTimeoutMs holds for the next connection', async () => {
    const kept = async (): Promise<unknown> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const { headers } = await http(app.url, { path: '/trial/context', agent });
      agent.destroy();
      return headers['keep-alive'];
    };
    expect(await kept()).toBe('timeout=75');
    await app.edit({ 'server.keepAliveTimeoutMs': 9000 });
    expect(await kept()).toBe('timeout=9');
    await app.edit({ 'server.keepAliveTimeoutMs': undefined });
  });

  it('maxConnections holds for the next connection', async () => {
    const held = await RawConnection.open(app.test.port);
    await app.edit({ 'server.maxConnections': 1 });
    await expect(http(app.url, { path: '/trial/context' })).rejects.toThrow(/socket hang up|ECONNRESET/);
    await app.edit({ 'server.maxConnections': undefined });
    expect((await http(app.url, { path: '/trial/context' })).status).toBe(200);
    held.destroy();
  });

  it('http2 holds for the next connection', async () => {
    const settings = async (): Promise<unknown[]> => {
      const caller = await Http2Caller.connect(app.url);
      await caller.request({ ':method': 'GET', ':path': '/trial/context' });
      const { maxConcurrentStreams, initialWindowSize } = caller.session.remoteSettings;
      const { remoteWindowSize } = caller.session.state;
      caller.close();
      return [maxConcurrentStreams, initialWindowSize, remoteWindowSize];
    };
    expect(await settings()).toEqual([250, 262_144, 1_048_576]);
    await app.edit({
      'server.http2': { maxConcurrentStreams: 7, streamWindowBytes: 70_000, connectionWindowBytes: 80_000 },
    });
    expect(await settings()).toEqual([7, 70_000, 80_000]);
    await app.edit({ 'server.http2': undefined });
  });
});
