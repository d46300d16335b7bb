import { describe, expect, it } from 'vitest';
import {
  CancelledError,
  DeadlineExceededError,
  DrainingError,
  TooManyRequestsInFlightError,
  UpstreamFailedError,
  UpstreamUnavailableError,
} from './core.errors.js';
import { Deadline } from './deadline.js';
import { type Fault, faultOf } from './fault.js';
import { Status } from './status.js';

describe('faultOf', () => {
  it.each<[Status, Fault | undefined]>([
    [Status.Ok, undefined],
    [Status.Cancelled, 'service'],
    [Status.Unknown, 'service'],
    [Status.InvalidArgument, 'client'],
    [Status.DeadlineExceeded, 'service'],
    [Status.NotFound, 'client'],
    [Status.AlreadyExists, 'client'],
    [Status.PermissionDenied, 'client'],
    [Status.ResourceExhausted, 'client'],
    [Status.FailedPrecondition, 'client'],
    [Status.Aborted, 'client'],
    [Status.OutOfRange, 'client'],
    [Status.Unimplemented, 'client'],
    [Status.Internal, 'service'],
    [Status.Unavailable, 'service'],
    [Status.DataLoss, 'service'],
    [Status.Unauthenticated, 'client'],
  ])('says of status %i alone: %s', (status, fault) => {
    expect(faultOf(status)).toBe(fault);
  });

  it('takes what the error states before its status, and success for success', () => {
    expect(faultOf(Status.Internal, 'client')).toBe('client');
    expect(faultOf(Status.NotFound, 'upstream')).toBe('upstream');
    expect(faultOf(Status.Ok, 'service')).toBeUndefined();
  });

  it('blames a passed deadline on the client that asked for less than the service allows', () => {
    expect(faultOf(Status.DeadlineExceeded, undefined, { isClients: true, reason: undefined })).toBe('client');
    expect(faultOf(Status.DeadlineExceeded, undefined, { isClients: false, reason: {} })).toBe('service');
  });

  it('blames a cancellation on the client once it is gone', () => {
    expect(faultOf(Status.Cancelled, undefined, { isClients: true, reason: {} })).toBe('client');
    expect(faultOf(Status.Cancelled, undefined, { isClients: true, reason: undefined })).toBe('service');
  });

  it.each([
    [new CancelledError(), 'client'],
    [new DrainingError(), 'load'],
    [new TooManyRequestsInFlightError(1), 'load'],
    [new UpstreamFailedError(), 'upstream'],
    [new UpstreamUnavailableError(), 'upstream'],
    [new DeadlineExceededError(1), undefined],
    [new DeadlineExceededError(1, 'client'), 'client'],
  ])('is stated by %s', (error, fault) => {
    expect(error.fault).toBe(fault);
  });
});

describe('whose a deadline is', () => {
  const ownMs = 30_000;
  const made = (askedMs: number, own: number | null = ownMs): Deadline => new Deadline(askedMs, true, undefined, own);

  it.each([
    ['the client asked for less than the service allows', made(1), true],
    ['the client asked for as much', made(ownMs), false],
    ['the client asked for more', made(ownMs + 1), false],
    ['the client asked for nothing', new Deadline(ownMs), false],
    ['it is of a stream', made(ownMs, null), true],
    ['it is of a stream for which nothing was asked', new Deadline(ownMs, false, undefined, null), true],
  ])('%s', (_, deadline, isClients) => {
    expect(deadline.isClients).toBe(isClients);
    deadline.close();
  });

  it('follows the limit of the route', () => {
    const [shorter, longer, stream] = [made(2000), made(2000), made(2000, null)];

    shorter.adjust(1000);
    longer.adjust(3000);
    stream.adjust(1000);

    expect([shorter, longer, stream].map(({ isClients, timeoutMs }) => [isClients, timeoutMs])).toEqual([
      [false, 1000],
      [true, 2000],
      [true, 1000],
    ]);
    for (const deadline of [shorter, longer, stream]) deadline.close();
  });

  it('is told by the error that it fires with', async () => {
    const [clients, own] = [made(1), new Deadline(1)];

    const reasons = await Promise.all(
      [clients, own].map((deadline) => new Promise<unknown>((resolve) => void deadline.onFire(resolve))),
    );

    expect(reasons).toMatchObject([{ fault: 'client' }, { fault: 'service' }]);
  });

  it("is the client's once it is gone", () => {
    const deadline = new Deadline(ownMs);

    deadline.cancel();

    expect(deadline.isClients).toBe(true);
  });
});
