import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import { ConfigPrefix, type Exposure, ExposureOption, exposures, NeedsRestart } from '../core/index.js';
import type { MessagePolicy } from '../pipeline/index.js';

/** The gRPC side; the section `grpc` of the configuration. Limits of requests are in `server.limits`. */
@ConfigPrefix('grpc')
export class GrpcOptions implements MessagePolicy {
  /**
   * Access to `grpc.reflection.v1` and `v1alpha`: `open`, `token` (scope `docs:read` or `process:read`) or `off`. `true` is
   * the default of the environment, `false` is `off`. With `management.port` reflection is served there only.
   */
  @NeedsRestart()
  @ExposureOption()
  @IsIn(exposures)
  readonly reflection: Exposure = 'token';

  /** Requests that one stream of reflection may send; one more ends it with RESOURCE_EXHAUSTED. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly maxReflectionRequests: number = 1000;

  /**
   * Bytes of descriptors that one stream of reflection may receive; a response that would exceed them ends it with
   * RESOURCE_EXHAUSTED. All descriptors of the service, sent once, are always allowed.
   */
  @IsInt()
  @Min(1)
  @Max(2 ** 31 - 1)
  readonly maxReflectionBytes: number = 16_777_216;

  /**
   * Send reason, wrong fields, time to wait and request id with each error, as details of google.rpc. Without, callers get
   * code and message only; the details of a `StatusError` are sent in any case.
   */
  @IsBoolean()
  readonly errorDetails: boolean = true;

  /**
   * What a handler with `@Input()` does with a message that has fields its type does not know: refuse it, as unknown
   * fields of JSON are refused, or ignore them. `ignore` lets callers with a newer contract come before the service has
   * it.
   */
  @IsIn(['refuse', 'ignore'])
  readonly unknownFields: 'refuse' | 'ignore' = 'refuse';

  /** Largest message sent, in bytes. The default is what clients take unless told otherwise. */
  @IsInt()
  @Min(1)
  @Max(2 ** 31 - 1)
  readonly maxSendBytes: number = 4_194_304;

  /** Messages of a streamed answer that may wait for a slow reader; one more ends the call. */
  @IsInt()
  @Min(1)
  readonly maxQueuedMessages: number = 1000;

  /** The same in bytes. */
  @IsInt()
  @Min(1)
  readonly maxQueuedBytes: number = 16_777_216;

  /** Compress answers in this way when the caller accepts it. */
  @IsIn(['identity', 'gzip', 'deflate'])
  readonly compression: 'identity' | 'gzip' | 'deflate' = 'identity';

  /** Answers smaller than this are not compressed, in bytes. */
  @IsInt()
  @Min(0)
  readonly compressionMinBytes: number = 1024;
}

/** Token of the present `GrpcOptions`, as `Live<GrpcOptions>`. */
export const GRPC_OPTIONS: unique symbol = Symbol('GRPC_OPTIONS');
