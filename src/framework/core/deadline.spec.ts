import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DrainingError } from './core.errors.js';
import { parseGrpcTimeout, parseRequestTimeout } from './deadline.js';

describe('Deadline', () => {
  let Deadline: typeof import('./deadline.js').Deadline;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    // All deadlines share a timer; that of the clock before is gone.
    vi.resetModules();
    ({ Deadline } = await import('./deadline.js'));
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fires with DEADLINE_EXCEEDED when the time has passed, and not before', () => {
    const deadline = new Deadline(100);

    vi.advanceTimersByTime(99);
    expect(deadline.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);

    expect(deadline.signal.aborted).toBe(true);
    expect(deadline.signal.reason).toMatchObject({ reason: 'DEADLINE_EXCEEDED', timeoutMs: 100 });
  });

  it('fires with CANCELLED when the caller goes away, once', () => {
    const deadline = new Deadline(100);
    const reasons: string[] = [];
    deadline.onFire((reason) => reasons.push(reason.reason));

    deadline.cancel();
    deadline.cancel();
    vi.advanceTimersByTime(200);

    expect(reasons).toEqual(['CANCELLED']);
  });

  it('gives a signal that is aborted already to who asks after it fired', () => {
    const deadline = new Deadline(5);

    vi.advanceTimersByTime(5);

    expect(deadline.signal.reason).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  });

  it("lengthens its own limit but not the caller's", () => {
    const own = new Deadline(100);
    const callers = new Deadline(100, true);

    own.adjust(300);
    callers.adjust(300);
    vi.advanceTimersByTime(150);

    expect([own.reason?.reason, callers.reason?.reason]).toEqual([undefined, 'DEADLINE_EXCEEDED']);
  });

  it('shortens the limit counted from the start of the request', () => {
    const deadline = new Deadline(1000);

    vi.advanceTimersByTime(50);
    deadline.adjust(60);
    vi.advanceTimersByTime(10);

    expect(deadline.reason?.reason).toBe('DEADLINE_EXCEEDED');
  });

  it('never fires once closed, and wakes the process at most once more', () => {
    const deadlines = Array.from({ length: 100 }, (_, index) => new Deadline(1000 + index));
    expect(vi.getTimerCount()).toBe(1);

    for (const deadline of deadlines) {
      deadline.close();
      deadline.close();
    }
    vi.advanceTimersByTime(1100);

    expect(deadlines.every(({ reason }) => reason === undefined)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells who watches before who listens, also after the fact', () => {
    const deadline = new Deadline(10);
    const told: string[] = [];
    deadline.onFire(() => told.push('listener'));
    deadline.watch({ onFire: ({ reason }) => told.push(reason) });

    vi.advanceTimersByTime(10);
    deadline.watch({ onFire: () => told.push('late') });

    expect(told).toEqual(['DEADLINE_EXCEEDED', 'listener', 'late']);
  });

  it('fires with DRAINING when the process stops waiting, once', () => {
    const deadline = new Deadline(100);
    const reasons: string[] = [];
    deadline.onFire((reason) => reasons.push(reason.reason));

    deadline.interrupt(new DrainingError());
    deadline.interrupt(new DrainingError());
    vi.advanceTimersByTime(200);

    expect(reasons).toEqual(['DRAINING']);
    expect(deadline.signal.reason).toMatchObject({ reason: 'DRAINING' });
  });

  it.each([
    ['extends the limit of all requests by it', false, undefined, false],
    ["keeps to the client's", true, undefined, true],
    ["keeps to the route's", false, 100, true],
  ])('%s, when the event loop was blocked', (_, isCallers, routeMs, hasFired) => {
    const deadline = new Deadline(100, isCallers);
    if (routeMs !== undefined) deadline.adjust(routeMs);
    const before = performance.now();
    // The timer is due at 100 ms, and comes long after.
    const now = vi.spyOn(performance, 'now').mockImplementation(() => before + 5000);

    vi.advanceTimersByTime(110);
    now.mockRestore();

    expect(deadline.reason !== undefined).toBe(hasFired);
    expect(deadline.isDefault).toBe(!hasFired);
  });

  it('extends a limit once only, as an event loop that is blocked again and again is overload', () => {
    const deadline = new Deadline(100);
    let aheadMs = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => aheadMs);
    for (let blocked = 0; blocked < 3; blocked += 1) {
      aheadMs += 5000;
      deadline.onDue();
    }
    now.mockRestore();

    expect(deadline.reason).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  });

  it('never fires without a limit', () => {
    new Deadline(Number.POSITIVE_INFINITY);

    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('parseGrpcTimeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['250m', 250],
    ['1500u', 1.5],
    ['99999999n', 99.999999],
  ])('reads %s', (text, ms) => {
    expect(parseGrpcTimeout(text)).toBeCloseTo(ms, 6);
  });

  it.each(['', '1', 'S', '-1S', '1.5S', '123456789S', '1s', ' 1S'])('refuses %j', (text) => {
    expect(parseGrpcTimeout(text)).toBeUndefined();
  });
});

describe('parseRequestTimeout', () => {
  it('reads seconds with a fraction', () => {
    expect(parseRequestTimeout('1.5')).toBe(1500);
  });

  it.each(['', '-1', '1s', '1e3', 'Infinity', '123456789'])('refuses %j', (text) => {
    expect(parseRequestTimeout(text)).toBeUndefined();
  });
});
