import { type Http2ConnectionOptions, http2ConnectionOptions } from '../http2/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import type { Http2Options, Http2RateOptions } from './http2.options.js';

// How far over the limit headers may be and still get an answer that says so.
const answeredHeaderFactor = 4;

/** What the engine is told of the service's options. */
export function connectionOptions(options: Http2Options, limits: LimitOptions): Http2ConnectionOptions {
  const { maxHeaderBytes, maxHeaderFields, firstByteTimeoutMs, headersTimeoutMs } = limits;
  const { rates, maxConnectionAgeMs, maxConnectionAgeGraceMs, ...same } = options;
  const answeredBytes = answeredHeaderFactor * maxHeaderBytes;
  return http2ConnectionOptions({
    ...same,
    ...ratesOf(rates),
    maxHeaderListBytes: maxHeaderBytes,
    maxHeaderFields,
    maxReadHeaderListBytes: answeredBytes,
    maxHeaderBlockBytes: answeredBytes,
    handshakeTimeoutMs: firstByteTimeoutMs,
    headerTimeoutMs: headersTimeoutMs,
    maxAgeMs: maxConnectionAgeMs,
    maxAgeGraceMs: maxConnectionAgeGraceMs,
  });
}

function ratesOf(rates: Http2RateOptions): Partial<Http2ConnectionOptions> {
  return {
    resetRate: { burst: rates.resetBurst, perSecond: rates.resetsPerSecond, perAnswer: 1 },
    settingsRate: { burst: rates.settingsBurst, perSecond: rates.settingsPerSecond },
    pingRate: { burst: rates.pingBurst, perSecond: rates.pingsPerSecond, perProgress: 1 },
    windowUpdateRate: { burst: rates.windowUpdateBurst, perSecond: rates.windowUpdatesPerSecond, perProgress: 10 },
    priorityRate: { burst: rates.priorityBurst, perSecond: rates.prioritiesPerSecond, perProgress: 10 },
    emptyDataRate: { burst: rates.emptyDataBurst, perSecond: rates.emptyDataPerSecond },
    paddingRate: { burst: rates.paddingBurst, perSecond: rates.paddingsPerSecond, perProgress: 10 },
    unknownFrameRate: { burst: rates.unknownFrameBurst, perSecond: rates.unknownFramesPerSecond },
  };
}
