import { randomBytes } from 'node:crypto';
import { isPrintable } from './field-values.js';

/** The position of a request in a trace, as W3C Trace Context carries it. */
export interface TraceContext {
  /** 32 hexadecimal digits, lower case, not all zero. */
  readonly traceId: string;
  /** This request's own span: 16 hexadecimal digits. */
  readonly spanId: string;
  /** The caller's span, when the request came with one. */
  readonly parentSpanId: string | undefined;
  /** The trace flags byte; bit 0 says "sampled". */
  readonly flags: number;
  /** The vendors' part, passed on unread. */
  readonly state: string | undefined;
}

// 16 KiB of random bytes at a time: a call for each request would cost more than all the rest of this file. An id then
// costs 16 ns, with 4 KiB 35, and a counter behind a random prefix twice that, as the two strings have to be joined.
const pool = { bytes: '', at: 0 };

function randomHex(digits: number): string {
  if (pool.at + digits > pool.bytes.length) {
    pool.bytes = randomBytes(16_384).toString('hex');
    pool.at = 0;
  }
  pool.at += digits;
  return pool.bytes.slice(pool.at - digits, pool.at);
}

/** A new request id: 32 hexadecimal digits. */
export function newRequestId(): string {
  return randomHex(32);
}

// What has to be passed on (section 3.3.1.5 of the recommendation); it would go out with every call to others.
const longestState = 512;

/**
 * Continues the trace of a `traceparent` header or, if there is none or it is malformed, starts a new one.
 *
 * @see https://www.w3.org/TR/2021/REC-trace-context-1-20211123/#traceparent-header
 */
export function traceFrom(traceparent: string | undefined, tracestate: string | undefined): TraceContext {
  const match =
    traceparent === undefined
      ? null
      : /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent);
  const spanId = randomHex(16);
  if (
    match === null ||
    match[1] === 'ff' ||
    (match[1] === '00' && match[5] !== undefined) ||
    /^0+$/.test(match[2] as string) ||
    /^0+$/.test(match[3] as string)
  ) {
    return { traceId: randomHex(32), spanId, parentSpanId: undefined, flags: 0, state: undefined };
  }
  return {
    traceId: match[2] as string,
    spanId,
    parentSpanId: match[3],
    flags: Number.parseInt(match[4] as string, 16),
    // It goes into calls made for this request, which cannot carry anything else.
    state:
      tracestate !== undefined && tracestate.length <= longestState && isPrintable(tracestate) ? tracestate : undefined,
  };
}

/** The `traceparent` header for a call made on behalf of `trace`. */
export function traceparentOf(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.flags.toString(16).padStart(2, '0')}`;
}
