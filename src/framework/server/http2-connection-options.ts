import { type Http2ConnectionOptions, http2ConnectionOptions } from '../http2/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import type { Http2Options } from './server.options.js';

// How far over the limit headers may be and still get an answer that says so.
const answeredHeaderFactor = 4;

/** What the engine is told of the service's options. */
export function connectionOptions(options: Http2Options, limits: LimitOptions): Http2ConnectionOptions {
  const { maxHeaderBytes, firstByteTimeoutMs, headersTimeoutMs } = limits;
  const answeredBytes = answeredHeaderFactor * maxHeaderBytes;
  return http2ConnectionOptions({
    maxConcurrentStreams: options.maxConcurrentStreams,
    streamWindowBytes: options.streamWindowBytes,
    connectionWindowBytes: options.connectionWindowBytes,
    maxHeaderListBytes: maxHeaderBytes,
    maxReadHeaderListBytes: answeredBytes,
    maxHeaderBlockBytes: answeredBytes,
    handshakeTimeoutMs: firstByteTimeoutMs,
    headerTimeoutMs: headersTimeoutMs,
    idleTimeoutMs: options.idleTimeoutMs,
  });
}
