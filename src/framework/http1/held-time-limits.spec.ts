import { expect, it } from 'vitest';
import { coarseNow } from '../wire/index.js';
import { http1ConnectionOptions } from './http1.options.js';
import { TimeLimits } from './time-limits.js';

/** What a connection is told in which second, when ticks come every second. */
function afterSeconds(seconds: number, isHeldUntil: number, isInHead: boolean): unknown[] {
  const told: unknown[] = [];
  let second = 0;
  const nowMs = coarseNow();
  const connection = {
    isAnswering: false,
    onLate: () => told.push([second, 'late']),
    onIdle: () => told.push([second, 'idle']),
  };
  const incoming = {
    isInHead,
    sinceMs: isInHead ? nowMs : 0,
    onTick: () => {},
    get isHeld() {
      return second <= isHeldUntil;
    },
  };
  const limits = new TimeLimits(
    { ...http1ConnectionOptions(), headersTimeoutMs: 10_000, keepAliveTimeoutMs: 10_000 },
    connection as never,
    incoming as never,
    { writableLength: 0 } as never,
  );
  limits.stop();
  const beganAtMs = coarseNow();
  for (second = 1; second <= seconds && told.length === 0; second += 1) limits.onTick(beganAtMs + second * 1000);
  return told;
}

it('does not take a request that waits for its turn for a late one', () => {
  expect(afterSeconds(100, 0, true)).toEqual([[10, 'late']]);
  expect(afterSeconds(100, 50, true)).toEqual([[60, 'late']]);
});

it('does not take a connection for idle whose request waits for its turn', () => {
  expect(afterSeconds(100, 0, false)).toEqual([[11, 'idle']]);
  expect(afterSeconds(49, 50, false)).toEqual([]);
});
