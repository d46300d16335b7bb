import { describe, expect, it } from 'vitest';
import {
  Bound,
  boundNames,
  type Holder,
  type Lease,
  Lifecycle,
  LiveValue,
  type RequestContext,
  type RookeryError,
  Shares,
} from '../core/index.js';
import { LimitOptions } from './pipeline.options.js';
import { shareLimitsOf } from './request-bounds.js';
import { type Arrival, RequestGate } from './request-gate.js';

const ok = { status: 0, httpStatus: 200, reason: undefined, fault: undefined };

function gateWith(changes: Partial<LimitOptions> = {}): { gate: RequestGate; shares: Shares; lifecycle: Lifecycle } {
  const limits: LimitOptions = { ...new LimitOptions(), ...changes };
  const shares = new Shares(shareLimitsOf(limits, 1000));
  const lifecycle = new Lifecycle();
  return { gate: new RequestGate(lifecycle, new LiveValue(limits), shares), shares, lifecycle };
}

function arrival(holder: Holder, more: Partial<Arrival> = {}): Arrival {
  return {
    face: 'http',
    operation: 'op',
    peer: holder.address,
    account: holder,
    header: () => undefined,
    timeoutMs: undefined,
    isStream: false,
    isProbe: false,
    ...more,
  };
}

/** What is in use of requests, streams, waiting requests and bytes. */
const used = ({ inUse }: Pick<Shares, 'inUse'>): number[] => inUse.slice(0, 4);

const told = (error: RookeryError | undefined): unknown =>
  error === undefined ? undefined : [error.reason, error.httpStatus, error.retryAfterMs, error.metadata];

describe('RequestGate', () => {
  it('counts a request as waiting, at work, waiting again, and not at all', () => {
    const { gate, shares, lifecycle } = gateWith();
    const context = gate.enter(arrival(shares.open('10.0.0.1')));

    expect([gate.admit(context, false), used(shares)]).toEqual([undefined, [0, 0, 1, 0]]);
    expect([gate.keep(context, 70), gate.keep(context, 30), used(shares)]).toEqual([
      undefined,
      undefined,
      [0, 0, 1, 100],
    ]);
    expect([gate.keep(context, -40), used(shares)]).toEqual([undefined, [0, 0, 1, 60]]);
    expect([gate.begin(context), used(shares)]).toEqual([undefined, [1, 0, 0, 0]]);
    gate.settle(context);
    expect(used(shares)).toEqual([0, 0, 1, 0]);
    gate.leave(context, ok);
    gate.leave(context, ok);
    expect([used(shares), lifecycle.inFlight]).toEqual([[0, 0, 0, 0], 0]);
  });

  it('ends a lease at once that is given to a request that is over', () => {
    const { gate, shares } = gateWith();
    const ends: string[] = [];
    const context = gate.enter(arrival(shares.open('10.0.0.1')));
    const leaseOf = (name: string): Lease => ({ end: () => ends.push(name), toStream: () => leaseOf(name) });

    context.lease = leaseOf('first');
    gate.leave(context, ok);
    // A guard that waited for something goes on when the client is gone.
    context.lease = leaseOf('late');

    expect(ends).toEqual(['first', 'late']);
  });

  it('counts a response in parts as a stream, with the lease of its caller', () => {
    const { gate, shares } = gateWith();
    const context = gate.enter(arrival(shares.open('10.0.0.1')));
    const ends: string[] = [];
    const ofStream = { end: () => ends.push('ended'), toStream: () => ofStream };
    context.lease = { end: () => ends.push('wrong'), toStream: () => ofStream };
    gate.admit(context, true);

    expect([gate.stream(context), gate.stream(context), used(shares)]).toEqual([undefined, undefined, [0, 1, 0, 0]]);
    gate.settle(context);
    expect(used(shares)).toEqual([0, 1, 0, 0]);
    gate.leave(context, ok);
    expect([used(shares), ends]).toEqual([[0, 0, 0, 0], ['ended']]);
  });

  it('has streams, waiting requests and requests at work leave each other their room', () => {
    const { gate, shares } = gateWith({ maxConcurrentRequests: 8, maxConcurrentStreams: 8, maxWaitingRequests: 8 });
    const enter = (isStream: boolean, isWhole: boolean): [RequestContext, unknown] => {
      const context = gate.enter(arrival(shares.open('10.0.0.1'), { isStream }));
      return [context, told(gate.admit(context, isWhole))];
    };
    const refused = (bound: string): unknown => ['CLIENT_SHARE_EXCEEDED', 429, 1000, { bound, scope: 'peer' }];

    for (let count = 0; count < 4; count += 1) expect(enter(true, false)[1]).toBeUndefined();
    expect(enter(true, false)[1]).toEqual(refused('streams'));
    expect([enter(false, true)[1], enter(false, false)[1]]).toEqual([undefined, undefined]);
    expect(used(shares)).toEqual([1, 4, 1, 0]);
  });

  it.each([
    ['maxConcurrentRequests', 'TOO_MANY_REQUESTS_IN_FLIGHT', false, true],
    ['maxConcurrentStreams', 'TOO_MANY_STREAMS', true, false],
    ['maxWaitingRequests', 'TOO_MANY_WAITING_REQUESTS', false, false],
  ] as const)('refuses what is beyond %s of the process with %s', (option, reason, isStream, isWhole) => {
    const { gate, shares } = gateWith({ [option]: 1 });
    const admit = (peer: string): unknown =>
      told(gate.admit(gate.enter(arrival(shares.open(peer), { isStream })), isWhole));

    expect([admit('10.0.0.1'), admit('10.0.0.2')]).toEqual([undefined, [reason, 503, 1000, {}]]);
  });

  it('refuses a body for which there is no memory, and requests while there is none', () => {
    const { gate, shares } = gateWith({ maxBufferedBytes: 1000 });
    const context = gate.enter(arrival(shares.open('10.0.0.1')));
    gate.admit(context, false);

    expect(told(gate.keep(context, 1001))).toEqual(['TOO_MANY_BYTES_BUFFERED', 503, 1000, {}]);
    expect([gate.keep(context, 900), told(gate.keep(context, 50))]).toEqual([
      undefined,
      ['CLIENT_SHARE_EXCEEDED', 429, 1000, { bound: 'bytes', scope: 'peer' }],
    ]);
    expect(told(gate.admit(gate.enter(arrival(shares.open('10.0.0.1'))), true))).toEqual([
      'CLIENT_SHARE_EXCEEDED',
      429,
      1000,
      { bound: 'bytes', scope: 'peer' },
    ]);
    expect(gate.admit(gate.enter(arrival(shares.open('10.0.0.2'))), true)).toBeUndefined();
  });

  it('counts a client behind a trusted proxy by its own address, and the connection of the proxy not at all', () => {
    const { gate, shares } = gateWith({ maxConcurrentRequests: 8 });
    const proxy = shares.open('10.0.0.1');
    const enter = (peer: string): [RequestContext, RookeryError | undefined] => {
      const context = gate.enter(arrival(proxy, { peer }));
      return [context, gate.admit(context, true)];
    };
    const greedy = Array.from({ length: 8 }, () => enter('192.0.2.1'));

    expect(greedy.filter(([, refusal]) => refusal === undefined)).toHaveLength(4);
    expect([enter('192.0.2.2')[1], proxy.inUse[Bound.requests], shares.peerCount]).toEqual([undefined, 0, 3]);
    for (const [context] of greedy) gate.leave(context, ok);
    expect([shares.inUse[Bound.requests], shares.peerCount]).toEqual([1, 2]);
  });

  it('counts nothing of probes', () => {
    const { gate, shares, lifecycle } = gateWith();
    gate.enter(arrival(shares.open('10.0.0.1'), { isProbe: true }));

    expect([used(shares), lifecycle.inFlight, boundNames.length]).toEqual([[0, 0, 0, 0], 0, 6]);
  });

  it('counts a probe while it is on its way or watches, and refuses it for the sake of others like it only', () => {
    const { gate, shares, lifecycle } = gateWith({ maxConcurrentStreams: 128, maxWaitingRequests: 128 });
    const greedy = shares.open('10.0.0.1');
    const probe = (holder: Holder, isStream: boolean): [RequestContext, unknown] => {
      const context = gate.enter(arrival(holder, { isProbe: true, isStream }));
      return [context, told(gate.admit(context, false))];
    };

    const [check] = probe(greedy, false);
    const [watch] = probe(greedy, true);
    expect(used(shares)).toEqual([0, 1, 1, 0]);
    expect(gate.begin(check)).toBeUndefined();
    expect(gate.begin(watch)).toBeUndefined();
    expect(used(shares)).toEqual([0, 1, 0, 0]);

    let refusal: unknown;
    for (let count = 0; refusal === undefined && count < 200; count += 1) [, refusal] = probe(greedy, true);
    expect(refusal).toEqual(['CLIENT_SHARE_EXCEEDED', 429, 1000, { bound: 'streams', scope: 'connection' }]);
    // However full it is.
    for (let peer = 0; peer < 200; peer += 1)
      gate.admit(gate.enter(arrival(shares.open(`10.1.${peer}.1`), { isStream: true })), true);
    const late = gate.admit(gate.enter(arrival(shares.open('10.0.0.3'), { isStream: true })), true);
    expect(late?.reason).toBe('TOO_MANY_STREAMS');
    expect(probe(shares.open('10.0.0.2'), true)[1]).toBeUndefined();

    gate.leave(watch, ok);
    expect(lifecycle.inFlight).toBeGreaterThan(0);
  });
});
