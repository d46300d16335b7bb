import { SetMetadata } from '@nestjs/common';
import { metadataKeys } from '../core/index.js';

/**
 * Sets the time limit of a route or RPC, in place of `server.limits.requestTimeoutMs`. A caller may ask for less.
 *
 * @param timeoutMs in ms, 1 or more; `Infinity` for none
 */
export function Timeout(timeoutMs: number): MethodDecorator & ClassDecorator {
  if (!(timeoutMs >= 1)) throw new Error(`@Timeout: timeoutMs: ${timeoutMs} (expected: >= 1)`);
  return SetMetadata(metadataKeys.timeout, timeoutMs);
}
