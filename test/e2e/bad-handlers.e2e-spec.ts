import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectError } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { TrialApp } from '../support/trial-app.js';
import { internalText } from '../support/trial-failures.js';
import { TrialService } from '../support/trial-proto.js';

const requestTimeoutMs = 400;
const anyRequestId: unknown = expect.stringMatching(/^[0-9a-f]{32}$/);
const thrown = ['string', 'undefined', 'null', 'object', 'error', 'rejection', 'httpInternal'];
const modes = [
  ['unary', methodOf(TrialService, 'Fail')],
  ['server-streaming', methodOf(TrialService, 'FailStream')],
  ['client-streaming', methodOf(TrialService, 'FailUpload')],
  ['bidirectional', methodOf(TrialService, 'FailChat')],
] as const;
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(undefined, {
    set: { 'server.limits.requestTimeoutMs': requestTimeoutMs, 'server.limits.streamTimeoutMs': requestTimeoutMs },
  });
});

afterEach(async () => {
  await app.stillServes();
  await eventually('nothing is in flight', () => app.inFlight === 0);
});

afterAll(() => app.close());

describe.each(thrown)('a handler that fails with: %s', (mode) => {
  it('says nothing of its own on HTTP/1.1', async () => {
    const answer = await http(app.url, { method: 'POST', path: '/trial/fail', body: { mode } });

    expectError(answer, 500, { reason: 'INTERNAL', message: 'internal error' });
    expect(JSON.stringify(answer.headers)).not.toContain(internalText);
  });

  it('says nothing of its own on HTTP/2', async () => {
    const connection = await Http2Caller.connect(app.url);
    const headers = { ':method': 'POST', ':path': '/trial/fail', 'content-type': 'application/json' };
    const answer = await connection.request(headers, JSON.stringify({ mode }));
    connection.close();

    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.text)).toEqual({
      code: 500,
      data: null,
      message: 'internal error',
      reason: 'INTERNAL',
      requestId: anyRequestId,
    });
  });

  it.each(modes)('says nothing of its own on a %s call', async (_, method) => {
    const { failure, messages, header, trailer } = await app.caller.call(method, [{ mode }]);

    expect(failure).toEqual({
      status: 'INTERNAL',
      message: 'internal error',
      reason: 'INTERNAL',
      domain: 'rookery',
      requestId: anyRequestId,
    });
    expect(messages).toEqual([]);
    expect(JSON.stringify([header.getMap(), trailer.getMap()])).not.toContain(internalText);
  });
});

describe('a handler that fails after its first messages', () => {
  it('ends a server stream with the status, after what was sent', async () => {
    const { failure, messages } = await app.caller.call(methodOf(TrialService, 'FailStream'), [
      { mode: 'declared:9', count: 3 },
    ]);

    expect(messages.map((message) => (message as { number: number }).number)).toEqual([1, 2, 3]);
    expect(failure).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'TRIAL_FAILED_PRECONDITION',
      metadata: { tried: 'FAILED_PRECONDITION' },
    });
  });

  it('ends a bidirectional stream with the status, after what was sent', async () => {
    const { failure, messages } = await app.caller.call(methodOf(TrialService, 'FailChat'), [
      { mode: 'ok', count: 7 },
      { mode: 'declared:14' },
    ]);

    expect(messages).toEqual([{ text: 'ok', number: 7 }]);
    expect(failure).toMatchObject({ status: 'UNAVAILABLE', reason: 'TRIAL_UNAVAILABLE', retryAfterMs: 1500 });
  });
});

describe('a handler that never returns', () => {
  it('is answered for when the time of the service is up, on HTTP', async () => {
    const answer = await http(app.url, { method: 'POST', path: '/trial/fail', body: { mode: 'never' } });

    expectError(answer, 504, {
      reason: 'DEADLINE_EXCEEDED',
      message: `deadline exceeded after ${requestTimeoutMs} ms`,
    });
  });

  it('is answered for when the time of the caller is up, on HTTP', async () => {
    const answer = await http(app.url, {
      method: 'POST',
      path: '/trial/fail',
      body: { mode: 'never' },
      headers: { 'request-timeout': '0.15' },
    });

    expectError(answer, 504, { reason: 'DEADLINE_EXCEEDED', message: 'deadline exceeded after 150 ms' });
  });

  it.each(modes)('is answered for when the time of the service is up, on a %s call', async (_, method) => {
    const { failure } = await app.caller.call(method, [{ mode: 'never' }], { timeoutMs: Number.POSITIVE_INFINITY });

    const message = `deadline exceeded after ${requestTimeoutMs} ms`;
    expect(failure).toEqual({
      status: 'DEADLINE_EXCEEDED',
      message,
      reason: 'DEADLINE_EXCEEDED',
      domain: 'rookery',
      requestId: anyRequestId,
    });
  });

  it.each(modes)('is answered for when the time of the caller is up, on a %s call', async (_, method) => {
    const { failure } = await app.caller.call(method, [{ mode: 'never' }], { serverTimeoutMs: 150 });

    expect(failure).toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      message: 'deadline exceeded after 150 ms',
      reason: 'DEADLINE_EXCEEDED',
    });
  });
});

describe('a handler that heeds its signal', () => {
  it('learns that the deadline has passed, on HTTP', async () => {
    app.state.reset();
    const answer = await http(app.url, { method: 'POST', path: '/trial/fail', body: { mode: 'untilAborted' } });

    expect(answer.status).toBe(504);
    expect(app.state.aborted).toEqual(['DeadlineExceededError']);
  });

  it.each(modes)('learns that the deadline has passed, on a %s call', async (_, method) => {
    app.state.reset();
    const { failure } = await app.caller.call(method, [{ mode: 'untilAborted' }], { serverTimeoutMs: 100 });

    expect(failure).toMatchObject({ status: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' });
    expect(app.state.aborted).toEqual(['DeadlineExceededError']);
  });

  it.each(modes)('learns that the caller has cancelled, on a %s call', async (_, method) => {
    app.state.reset();
    const waiting = app.state.told('waiting');
    const { call, ended } = app.caller.open(method);
    call.write({ mode: 'untilAborted' });
    if (method.methodKind === 'unary' || method.methodKind === 'server_streaming') call.end();
    call.resume();
    await waiting;
    call.cancel();

    expect(await ended).toMatchObject({ failure: { status: 'CANCELLED' } });
    await eventually('the handler knows', () => app.state.aborted.length > 0);
    expect(app.state.aborted).toEqual(['CancelledError']);
  });
});

describe('an error that Nest knows', () => {
  it('keeps an HTTP status that gRPC has no word for', async () => {
    const answer = await http(app.url, { method: 'POST', path: '/trial/fail', body: { mode: 'httpTeapot' } });
    const { failure } = await app.caller.call(methodOf(TrialService, 'Fail'), [{ mode: 'httpTeapot' }]);

    expectError(answer, 418, { reason: 'INVALID_ARGUMENT', message: 'short and stout' });
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', message: 'short and stout' });
  });
});
