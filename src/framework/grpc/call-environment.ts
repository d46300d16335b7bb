import type { Live } from '../core/index.js';
import type { LimitOptions, RequestGate } from '../pipeline/index.js';
import type { GrpcOptions } from './grpc.options.js';

/** What all calls of a server share. */
export interface CallEnvironment {
  readonly gate: RequestGate;
  readonly limits: Live<LimitOptions>;
  readonly options: Live<GrpcOptions>;
  /** `ErrorInfo.domain` of failures. */
  readonly domain: string;
  /** A call is over, and its stream needs nothing more. */
  onEnd(): void;
}
