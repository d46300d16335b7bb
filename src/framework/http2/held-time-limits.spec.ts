import { expect, it } from 'vitest';
import { coarseNow } from '../wire/index.js';
import { http2ConnectionOptions } from './http2.options.js';
import { TimeLimits } from './time-limits.js';

/** A connection that has not been heard of: what it is cut for, if it is, when ticks come every second. */
function afterSeconds(seconds: number, isHeldUntil: number, parts: { insideHeaders?: boolean; settings?: boolean }) {
  const failed: unknown[] = [];
  let second = 0;
  const session = {
    options: { ...http2ConnectionOptions(), idleTimeoutMs: 0, keepaliveIntervalMs: 0, sendStallTimeoutMs: 0 },
    limits: { cut: (kind: string) => kind },
    writer: { releaseIdle: () => {}, isBlocked: false },
    streams: new Map(),
    encoder: { rest: () => {} },
    decoder: { rest: () => {} },
    idleSinceMs: 0,
  };
  const connection = {
    get isHeld() {
      return second <= isHeldUntil;
    },
    fail: (error: unknown) => failed.push([second, error]),
  };
  const nowMs = coarseNow();
  const headers = { openId: parts.insideHeaders === true ? 1 : 0, openSinceMs: nowMs };
  const limits = new TimeLimits(
    session as never,
    headers as never,
    { isInsideHeaders: false } as never,
    connection as never,
    { writableLength: 0, bytesWritten: 0 },
  );
  limits.stop();
  const beganAtMs = coarseNow();
  limits.hasPeerSettings = parts.settings !== false;
  limits.isAcknowledged = limits.hasPeerSettings;
  for (second = 1; second <= seconds && failed.length === 0; second += 1) limits.onTick(beganAtMs + second * 1000);
  return failed;
}

const { handshakeTimeoutMs, headerTimeoutMs } = http2ConnectionOptions();

it.each([
  ['SETTINGS that do not come', 'handshakeTimeout', handshakeTimeoutMs, { settings: false }],
  ['a header block that does not end', 'headerTimeout', headerTimeoutMs, { insideHeaders: true }],
])('does not hold %s against a peer while it waits for its turn', (_what, kind, limitMs, parts) => {
  const limit = Math.ceil(limitMs / 1000);

  expect(afterSeconds(100, 0, parts)).toEqual([[limit, kind]]);
  expect(afterSeconds(100, 50, parts)).toEqual([[50 + limit, kind]]);
});
