import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Attacker } from '../support/attacker.js';
import { EditedApp, type Settings } from '../support/edited-app.js';
import { eventually } from '../support/eventually.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { figuresOf, inUse } from '../support/service-figures.js';
import { TrialService } from '../support/trial-proto.js';

const rpc = { inspect: methodOf(TrialService, 'Inspect'), failStream: methodOf(TrialService, 'FailStream') };
const context = { path: '/trial/context' };
const json = { 'content-type': 'application/json' };

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start();
});

afterAll(() => app.close());

const limits = (settings: Settings): Promise<unknown> =>
  app.edit(Object.fromEntries(Object.entries(settings).map(([name, value]) => [`server.limits.${name}`, value])));

const reasonOf = ({ json: body }: { json: unknown }): unknown => (body as { reason?: string }).reason;

/** Opens a call that goes on until it is cancelled. */
async function openStream(token?: string): Promise<() => Promise<void>> {
  const before = await inUse(app.url, 'streams');
  const { call, ended } = app.caller.open(rpc.failStream, { token });
  call.write({ mode: 'untilAborted' });
  call.end();
  call.resume();
  await eventually('the stream is open', async () => (await inUse(app.url, 'streams')) === before + 1);
  return async () => {
    call.cancel();
    await ended;
  };
}

const failedStream = async (token?: string): Promise<unknown> => {
  const { failure } = await app.caller.call(rpc.failStream, [{ mode: 'declared:7' }], { token });
  return failure?.reason;
};

describe('server.limits while the service runs', () => {
  it('maxConcurrentStreams holds for the next stream, and for streams alone', async () => {
    const close = await openStream();
    await limits({ maxConcurrentStreams: 1 });

    expect([await failedStream(), (await http(app.url, context)).status]).toEqual(['TOO_MANY_STREAMS', 200]);
    await limits({ maxConcurrentStreams: undefined });
    expect(await failedStream()).toBe('TRIAL_PERMISSION_DENIED');
    await close();
  });

  it('maxWaitingRequests holds for the next request', async () => {
    const slow = new Attacker('127.0.0.2', app.test.port);
    await slow.streams(1, '/trial/orders', json);
    await eventually('it waits for the body', async () => (await inUse(app.url, 'waiting')) === 1);
    await limits({ maxWaitingRequests: 1 });

    expect(reasonOf(await http(app.url, context))).toBe('TOO_MANY_WAITING_REQUESTS');
    await limits({ maxWaitingRequests: undefined });
    expect((await http(app.url, context)).status).toBe(200);
    slow.close();
  });

  it('maxBufferedBytes holds for the next body', async () => {
    const slow = new Attacker('127.0.0.2', app.test.port);
    const head =
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n';
    await limits({ maxBufferedBytes: 1_048_576 });
    await slow.connections(2, head + ' '.repeat(900_000));
    await eventually('one is kept, the other refused', async () => {
      const figures = await figuresOf(app.url);
      const refused = ['process', 'peer', 'connection'].map((scope) =>
        figures.get(`rookery_server_refused_total{bound="bytes",scope="${scope}"}`),
      );
      return refused.reduce((sum: number, each) => sum + (each ?? 0), 0) > 0;
    });

    expect(await inUse(app.url, 'bytes')).toBeLessThan(1_048_576);
    slow.close();
    await limits({ maxBufferedBytes: undefined });
    await eventually('nothing is kept', async () => (await inUse(app.url, 'bytes')) === 0);
  });

  it('peerShare and connectionShare hold at once, also for those at work already', async () => {
    const closings: (() => Promise<void>)[] = [];
    for (let count = 0; count < 3; count += 1) closings.push(await openStream());
    await limits({ maxConcurrentStreams: 10, peerShare: 0.2, connectionShare: 1 });
    const ofPeer = await failedStream();
    await limits({ maxConcurrentStreams: 10, peerShare: 1, connectionShare: 0.2 });
    const ofConnection = await failedStream();
    await limits({ maxConcurrentStreams: 10, peerShare: 1, connectionShare: 1 });
    const ofNone = await failedStream();
    await limits({ maxConcurrentStreams: undefined, peerShare: undefined, connectionShare: undefined });
    for (const close of closings) await close();

    expect([ofPeer, ofConnection, ofNone]).toEqual([
      'CLIENT_SHARE_EXCEEDED',
      'CLIENT_SHARE_EXCEEDED',
      'TRIAL_PERMISSION_DENIED',
    ]);
  });
});

describe('quota while the service runs', () => {
  it('maxConcurrentRequests and maxConcurrentStreams hold for the next request of a caller, and for no other caller', async () => {
    const [ann, ben] = ['ann', 'ben'].map((sub) => app.test.token({ sub }));
    const close = await openStream(ann);
    await app.edit({ 'quota.maxConcurrentStreams': 1 });

    expect([await failedStream(ann), await failedStream(ben), await failedStream()]).toEqual([
      'CONCURRENCY_LIMITED',
      'TRIAL_PERMISSION_DENIED',
      'TRIAL_PERMISSION_DENIED',
    ]);
    await app.edit({ 'quota.maxConcurrentStreams': undefined, 'quota.maxConcurrentRequests': 1 });
    const hold = { method: 'POST', path: '/trial/fail', body: { mode: 'untilAborted' }, token: ann };
    const held = http(app.url, { ...hold, headers: { 'request-timeout': '2' } });
    await eventually('it is at work', async () => (await inUse(app.url, 'requests')) > 0);
    const [refused, other] = [
      await http(app.url, { ...context, token: ann }),
      await http(app.url, { ...context, token: ben }),
    ];
    const call = await app.caller.call(rpc.inspect, [{}], { token: ann });
    await app.edit({ 'quota.maxConcurrentRequests': undefined });
    expect((await http(app.url, { ...context, token: ann })).status).toBe(200);

    expect([refused.status, reasonOf(refused), refused.headers['retry-after'], other.status]).toEqual([
      429,
      'CONCURRENCY_LIMITED',
      '1',
      200,
    ]);
    expect(call.failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'CONCURRENCY_LIMITED' });
    expect((await held).status).toBe(504);
    await close();
    await eventually('nothing is at work', async () => (await figuresOf(app.url)).get('rookery_quota_callers') === 0);
  });
});

describe('auth.failures while the service runs', () => {
  it('burst and perSecond hold from the next token on, on REST and gRPC together', async () => {
    const ask = async (token: string): Promise<unknown[]> => {
      const rest = await http(app.url, { ...context, token });
      const call = await app.caller.call(rpc.inspect, [{}], { token });
      return [rest.status, call.failure?.reason];
    };
    await app.edit({ 'auth.failures.burst': 1, 'auth.failures.perSecond': 1 });
    expect(await ask('a.b.c')).toEqual([401, 'TOO_MANY_FAILED_TOKENS']);
    expect((await http(app.url, { ...context, token: app.test.token({ sub: 'unseen' }) })).status).toBe(429);
    await app.edit({ 'auth.failures.burst': 0 });
    expect(await ask('a.b.c')).toEqual([401, 'TOKEN_MALFORMED']);
    expect(await ask(app.test.token({ sub: 'unseen' }))).toEqual([200, undefined]);
    await app.edit({ 'auth.failures.burst': 2, 'auth.failures.perSecond': 1_000_000 });
    for (let times = 0; times < 5; times += 1) expect(await ask('a.b.c')).toEqual([401, 'TOKEN_MALFORMED']);
    await app.edit({ 'auth.failures.burst': undefined, 'auth.failures.perSecond': undefined });
  });
});
