import { type Http1ConnectionOptions, http1ConnectionOptions } from '../http1/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import type { ServerOptions } from './server.options.js';

/** What the engine is told of the service's options. */
export function http1ConnectionOptionsOf(options: ServerOptions, limits: LimitOptions): Http1ConnectionOptions {
  const { maxHeaderBytes, maxHeaderFields, headersTimeoutMs, bodyTimeoutMs } = limits;
  const { keepAliveTimeoutMs } = options;
  return http1ConnectionOptions({
    maxHeaderBytes,
    maxHeaderFields,
    headersTimeoutMs,
    bodyTimeoutMs,
    keepAliveTimeoutMs,
  });
}
