import { IsIn, IsInt, Max, Min } from 'class-validator';
import { type CallerKind, callerKinds, ConfigPrefix } from '../core/index.js';

/** Settings of the limits of each caller; the section `quota` of the configuration. */
@ConfigPrefix('quota')
export class QuotaOptions {
  /** Requests a caller may make in each second; 0 means no limit. */
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly ratePerSecond: number = 0;

  /** Requests above the rate that a caller may make in each ten seconds. */
  @IsInt()
  @Min(0)
  @Max(10_000_000)
  readonly burst: number = 0;

  /**
   * Unary requests that a caller may have at work at a time; 0 means no limit. Callers without a token are bounded by
   * `server.limits.peerShare` instead, unless `by` is `peer`.
   */
  @IsInt()
  @Min(0)
  @Max(10_000_000)
  readonly maxConcurrentRequests: number = 5000;

  /** The same for streams. A response written in parts counts here from its first part on. */
  @IsInt()
  @Min(0)
  @Max(10_000_000)
  readonly maxConcurrentStreams: number = 5000;

  /** Who counts as one caller. Callers without a token count by their address. */
  @IsIn(callerKinds)
  readonly by: CallerKind = 'principal';

  /** Callers told apart at a time; those beyond share one allowance. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly maxKeys: number = 50_000;
}

/** Token of the present `QuotaOptions`, as `Live<QuotaOptions>`. */
export const QUOTA_OPTIONS: unique symbol = Symbol('QUOTA_OPTIONS');
