import { describe, expect, it } from 'vitest';
import {
  currentContext,
  DeadlineExceededError,
  Deadline,
  drainSignal,
  httpStatusOf,
  Lifecycle,
  LiveValue,
  noDeadline,
  project,
  RequestContext,
  RookeryError,
  runInContext,
  Status,
  statusOfHttp,
  traceFrom,
  traceparentOf,
} from './index.js';

function contextWith(headers: Record<string, string>): RequestContext {
  return new RequestContext({
    face: 'http',
    operation: 'GET /',
    peer: '::1',
    header: (name) => headers[name],
    deadline: new Deadline(Infinity),
  });
}

describe('status mapping', () => {
  it('follows the canonical google.rpc mapping in both directions where it is one to one', () => {
    for (const status of [
      Status.NotFound,
      Status.AlreadyExists,
      Status.PermissionDenied,
      Status.Unauthenticated,
      Status.Unavailable,
      Status.DeadlineExceeded,
      Status.Unimplemented,
      Status.ResourceExhausted,
      Status.InvalidArgument,
      Status.Cancelled,
    ]) {
      expect(statusOfHttp(httpStatusOf(status))).toBe(status);
    }
  });

  it('takes unknown numbers for a failure of their class', () => {
    expect([httpStatusOf(99), statusOfHttp(418), statusOfHttp(599)]).toEqual([
      500,
      Status.InvalidArgument,
      Status.Internal,
    ]);
  });
});

describe('RookeryError', () => {
  it('is recognised by its brand, not by its class', () => {
    const foreign = { [Symbol.for('rookery.error')]: true };

    expect([
      RookeryError.is(new DeadlineExceededError(5)),
      RookeryError.is(foreign),
      RookeryError.is(new Error('x')),
    ]).toEqual([true, true, false]);
  });

  it('derives the HTTP status from the gRPC code unless the class states one', () => {
    class Special extends RookeryError {
      static override readonly status = Status.ResourceExhausted;
      static override readonly httpStatus = 413;
    }

    expect([new DeadlineExceededError(1).httpStatus, new Special('x').httpStatus]).toEqual([504, 413]);
  });
});

describe('RequestContext', () => {
  it('is found from anywhere below, across awaits, and not outside', async () => {
    const context = contextWith({});

    const seen = await runInContext(context, async () => {
      await Promise.resolve();
      return currentContext();
    });

    expect(seen).toBe(context);
    expect(currentContext()).toBeUndefined();
  });

  it.each([
    ['abc-1', true],
    ['a'.repeat(129), false],
    ['line\nbreak', false],
    ['', false],
  ])("keeps the caller's request id %j: %s", (id, isKept) => {
    expect(contextWith({ 'x-request-id': id }).requestId === id).toBe(isKept);
  });
});

describe('traceFrom', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

  it("continues the caller's trace with a span of its own", () => {
    const trace = traceFrom(`00-${traceId}-00f067aa0ba902b7-01`, 'a=b');

    expect(trace).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b7', flags: 1, state: 'a=b' });
    expect(traceparentOf(trace)).toBe(`00-${traceId}-${trace.spanId}-01`);
  });

  it.each([
    undefined,
    '',
    'nonsense',
    `ff-${traceId}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-00f067aa0ba902b7-01-extra`,
  ])('starts anew for %j', (header) => {
    const trace = traceFrom(header, undefined);

    expect(trace.traceId).not.toBe(traceId);
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(trace.parentSpanId).toBeUndefined();
  });
});

describe('what a caller names for calls that are made for it', () => {
  it.each(['a=b\u00ff', '\u00a0a=b', 'a=b\t'])('counts as nothing where calls cannot carry it: %j', (value) => {
    const trace = traceFrom('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', value);

    expect([trace.flags, trace.state]).toEqual([1, undefined]);
    expect(contextWith({ 'x-tenant': value }).tenant).toBeUndefined();
    expect(contextWith({ 'x-tenant': 'Acme & Co' }).tenant).toBe('Acme & Co');
  });
});

describe('LiveValue', () => {
  it('tells every listener of new and previous value, also after one that throws', () => {
    const errors: unknown[] = [];
    const live = new LiveValue(1, (error) => errors.push(error));
    const seen: number[][] = [];
    live.subscribe(() => {
      throw new Error('mine');
    });
    live.subscribe((current, previous) => seen.push([current, previous]));

    live.publish(2);

    expect(seen).toEqual([[2, 1]]);
    expect(errors).toHaveLength(1);
  });

  it('shows projections of the present value', () => {
    const live = new LiveValue({ a: 1 });
    const view = project(live, (value) => value.a * 10);

    live.publish({ a: 2 });

    expect(view.value).toBe(20);
  });
});

describe('Lifecycle', () => {
  it('only goes forward', () => {
    const lifecycle = new Lifecycle();
    const phases: string[] = [];
    lifecycle.onChange((phase) => phases.push(phase));

    lifecycle.advance('draining');
    lifecycle.advance('ready');

    expect(phases).toEqual(['draining']);
    expect(lifecycle.phase).toBe('draining');
  });

  it('signals the drain once, also to handlers that ask later, and never outside a request', () => {
    const lifecycle = new Lifecycle();
    const context = new RequestContext({
      face: 'grpc',
      operation: 'op',
      peer: '127.0.0.1',
      header: () => undefined,
      deadline: noDeadline,
      lifecycle,
    });
    const early = runInContext(context, drainSignal);
    expect([early.aborted, drainSignal().aborted]).toEqual([false, false]);

    lifecycle.signalDrain();
    lifecycle.signalDrain();

    expect(early.reason).toMatchObject({ reason: 'DRAINING' });
    expect(runInContext(context, drainSignal)).toBe(early);
    expect(drainSignal().aborted).toBe(false);
  });

  it('is idle when the last request has ended', async () => {
    const lifecycle = new Lifecycle();
    lifecycle.begin();
    lifecycle.begin();
    const idle = lifecycle.idle(10_000);

    lifecycle.end();
    lifecycle.end();

    expect(await idle).toBe(true);
  });

  it('gives up waiting when the time is over', async () => {
    const lifecycle = new Lifecycle();
    lifecycle.begin();

    expect(await lifecycle.idle(1)).toBe(false);
  });
});
