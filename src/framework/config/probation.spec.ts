import { IsInt } from 'class-validator';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Fault, faultOf, noDeadline, RequestContext, requestEndChannel, Status } from '../core/index.js';
import { ConfigOptions } from './config.options.js';
import { ConfigStore } from './config-store.js';
import { Probation, type ProbationRequest } from './probation.js';
import { ProbationWatch } from './probation-watch.js';
import { yamlLayer } from './yaml-layer.js';

const bounds = { maxErrorRatio: 0.1, maxP99Ms: 50, minRequests: 10 };

describe('Probation', () => {
  const good = { isError: false, durationMs: 1 };
  const count = (probation: Probation, times: number, request: ProbationRequest) =>
    Array.from({ length: times }, () => probation.count(request)).at(-1);

  it('judges nothing before there are enough requests', () => {
    const probation = new Probation(bounds);

    expect(count(probation, 9, { ...good, isError: true })).toBeUndefined();
    expect(count(probation, 1, good)).toBe('9 of 10 requests failed (allowed: ratio 0.1)');
  });

  it('allows the ratio itself and not one more', () => {
    const probation = new Probation(bounds);
    count(probation, 18, good);

    expect(count(probation, 2, { ...good, isError: true })).toBeUndefined();
    expect(count(probation, 1, { ...good, isError: true })).toBe('3 of 21 requests failed (allowed: ratio 0.1)');
  });

  it('holds the 99th percentile to its bound from 100 requests on', () => {
    const probation = new Probation(bounds);
    count(probation, 97, good);

    expect(count(probation, 1, { ...good, durationMs: 51 })).toBeUndefined();
    expect(count(probation, 1, { ...good, durationMs: 50 })).toBeUndefined();
    expect(count(probation, 1, good)).toBeUndefined();
    expect(count(probation, 1, { ...good, durationMs: 51 })).toBe(
      '2 of 101 requests took longer than 50 ms (allowed: 1 in 100)',
    );
  });

  it('leaves requests whose time is not known out of the percentile', () => {
    const probation = new Probation(bounds);
    count(probation, 98, good);
    count(probation, 1, { ...good, durationMs: 51 });

    expect(count(probation, 500, { ...good, durationMs: undefined })).toBeUndefined();
    expect(count(probation, 1, { ...good, durationMs: 51 })).toBe(
      '2 of 100 requests took longer than 50 ms (allowed: 1 in 100)',
    );
  });

  it('does not look at durations where no bound is set', () => {
    const probation = new Probation({ maxErrorRatio: 0.1, minRequests: 10 });

    expect(count(probation, 200, { ...good, durationMs: 1e6 })).toBeUndefined();
  });
});

class PlainOptions {
  @IsInt() readonly n: number = 0;
}

describe('ProbationWatch', () => {
  let watch: ProbationWatch | undefined;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    watch?.close();
    vi.useRealTimers();
  });

  function started(settings = 'enabled: true, maxErrorRatio: 0.1, minRequests: 10, durationMs: 30000') {
    const store = new ConfigStore('test', [
      yamlLayer(`config: { probation: { ${settings} } }`, { name: 'application', kind: 'file', origin: 'a.yaml' }),
    ]);
    const [options, plain] = store.bindAll([
      ['config', ConfigOptions],
      ['plain', PlainOptions],
    ]);
    watch = new ProbationWatch(store, options);
    const set = (n: number) =>
      store.apply([yamlLayer(`plain: { n: ${n} }`, { name: 'id', kind: 'remote', origin: 'id' })], {
        source: 'centre',
      });
    return { store, plain, set };
  }

  interface Ending {
    readonly fault?: Fault;
    readonly startedAtMs?: number;
    readonly isProbe?: boolean;
    readonly serviceMs?: number;
  }

  function end(times: number, status: Status, ending: Ending = {}): void {
    const { startedAtMs = performance.now(), isProbe = false, serviceMs, fault = faultOf(status) } = ending;
    for (let index = 0; index < times; index += 1) {
      const context = new RequestContext({
        face: 'http',
        operation: 'GET /',
        peer: '127.0.0.1',
        header: () => undefined,
        deadline: noDeadline,
        isProbe,
        startedAtMs,
      });
      const reason = undefined;
      requestEndChannel.publish({ context, status, httpStatus: 200, durationMs: 1, serviceMs, reason, fault });
    }
  }

  it('puts the version before a bad one back, and says so until the source brings another', () => {
    const { store, plain, set } = started();
    set(1);
    vi.advanceTimersByTime(30_000);
    set(2);

    end(9, Status.Internal);
    expect(plain.value.n).toBe(2);
    end(1, Status.Ok);

    expect(plain.value.n).toBe(1);
    expect(store.version).toBe(4);
    expect(store.history.at(-1)?.source).toBe('probation');
    expect(store.failures).toMatchObject([
      {
        source: 'centre',
        message: 'version 3 did not stand its probation, 2 put back: 9 of 10 requests failed (allowed: ratio 0.1)',
      },
    ]);
    set(3);
    expect(store.failures).toEqual([]);
  });

  it('does not apply again what it put back when another document changes, until it says something else', () => {
    const { store, plain, set } = started();
    const layer = (name: string, text: string) => yamlLayer(text, { name, kind: 'remote', origin: name });
    const both = (n: number, other: string) =>
      store.apply([layer('id', `plain: { n: ${n} }`), layer('other', `free: { text: ${other} }`)], {
        source: 'centre',
      });
    both(1, 'a');
    vi.advanceTimersByTime(30_000);
    both(2, 'a');
    end(10, Status.Internal);
    expect(plain.value.n).toBe(1);

    both(2, 'b');
    expect(plain.value.n).toBe(1);
    expect(store.get('free.text')).toBe('b');
    expect(store.failures).toMatchObject([{ source: 'centre' }]);

    both(3, 'b');
    expect(plain.value.n).toBe(3);
    expect(store.failures).toEqual([]);
    vi.advanceTimersByTime(30_000);
    set(2);
    expect(plain.value.n).toBe(2);
  });

  it('keeps a version that stood its time, whatever comes after', () => {
    const { plain, set } = started();
    set(1);
    end(9, Status.Internal);

    vi.advanceTimersByTime(30_000);
    end(10, Status.Internal);

    expect(plain.value.n).toBe(1);
  });

  it('goes back before both when a change follows another on probation', () => {
    const { plain, set } = started();
    set(1);
    vi.advanceTimersByTime(29_999);
    set(2);
    vi.advanceTimersByTime(29_999);

    end(10, Status.Unavailable);

    expect(plain.value.n).toBe(0);
  });

  it('says of every source that it was put back', () => {
    const { store, set } = started();
    set(1);
    store.apply([yamlLayer('free: 1', { name: 'b', kind: 'file', origin: 'b' })], { source: 'files' });

    end(10, Status.Internal);

    expect(store.get('free')).toBeUndefined();
    expect(store.failures.map(({ source }) => source)).toEqual(['centre', 'files']);
  });

  it('stays switched on when the change after the one that switched it on is bad', () => {
    const { store, plain, set } = started('enabled: false');
    const application = 'config: { probation: { enabled: true, maxErrorRatio: 0.1, minRequests: 10 } }';
    store.apply([yamlLayer(application, { name: 'application', kind: 'file', origin: 'a.yaml' })], { source: 'files' });
    set(1);

    end(10, Status.Internal);

    expect(plain.value.n).toBe(0);
    expect(store.get('config.probation')).toMatchObject({ enabled: true });
    expect(store.failures.map(({ source }) => source)).toEqual(['centre']);
  });

  it("counts neither the callers' own faults, nor probes, nor what began before the change", () => {
    const { plain, set } = started();
    const before = performance.now();
    vi.advanceTimersByTime(1);
    set(1);

    end(50, Status.InvalidArgument);
    end(50, Status.Unauthenticated);
    end(50, Status.Internal, { startedAtMs: before });
    end(50, Status.Internal, { isProbe: true });

    expect(plain.value.n).toBe(1);
  });

  it.each(['client', 'upstream', 'load'] as const)(
    'counts what is the fault of %s on neither side, whatever its status and time',
    (fault) => {
      const { plain, set } = started('enabled: true, maxErrorRatio: 0.1, minRequests: 10, maxP99Ms: 50');
      set(1);

      end(500, Status.Internal, { fault, serviceMs: 1e6 });
      end(500, Status.Unavailable, { fault, serviceMs: 1e6 });
      end(500, Status.DeadlineExceeded, { fault, serviceMs: 1e6 });
      end(8, Status.Ok);
      expect(plain.value.n).toBe(1);
      end(2, Status.Internal);

      expect(plain.value.n).toBe(0);
    },
  );

  it('judges latency by the time that the service took', () => {
    const { plain, set } = started('enabled: true, maxErrorRatio: 0.1, minRequests: 10, maxP99Ms: 1');
    set(1);
    vi.advanceTimersByTime(1);

    end(200, Status.Ok, { serviceMs: 1 });
    end(200, Status.Ok);
    expect(plain.value.n).toBe(1);
    end(4, Status.Ok, { serviceMs: 1.1 });

    expect(plain.value.n).toBe(0);
  });

  it('does not put what it put back on probation', () => {
    const { store, set } = started();
    set(1);
    end(10, Status.Internal);

    end(50, Status.Internal);

    expect(store.version).toBe(3);
  });

  it('does nothing unless it is enabled', () => {
    const { plain, set } = started('minRequests: 1');
    set(1);

    end(50, Status.Internal);

    expect(plain.value.n).toBe(1);
  });

  it('leaves a refused return to the store to tell', () => {
    const { store, plain, set } = started();
    plain.subscribe({
      prepare: ({ n }) => {
        if (n === 0) throw new Error('never zero');
      },
    });
    set(1);

    end(10, Status.Internal);

    expect(plain.value.n).toBe(1);
    expect(store.failures).toMatchObject([{ source: 'probation', message: 'plain: refused: never zero' }]);
  });

  it('leaves nothing behind when it is closed', () => {
    const { plain, set } = started();
    set(1);

    watch?.close();
    watch?.close();
    end(50, Status.Internal);

    expect(vi.getTimerCount()).toBe(0);
    expect(plain.value.n).toBe(1);
  });
});
