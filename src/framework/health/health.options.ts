import { IsIn, IsInt, Max, Min } from 'class-validator';
import { ConfigPrefix, type Exposure, ExposureOption, exposures } from '../core/index.js';

/** The probes; the section `health` of the configuration. */
@ConfigPrefix('health')
export class HealthOptions {
  /** Time one check has, in ms; then it counts as down. */
  @IsInt()
  @Min(10)
  @Max(60_000)
  readonly probeTimeoutMs: number = 2000;

  /** How long the outcome of a check serves for further questions, in ms. */
  @IsInt()
  @Min(0)
  @Max(60_000)
  readonly cacheMs: number = 1000;

  /** Time between two checks that are made without being asked, so that watchers hear of changes, in ms. */
  @IsInt()
  @Min(100)
  @Max(600_000)
  readonly refreshMs: number = 5000;

  /**
   * Access to the names and details of the checks in `/health/*`, and to the names of services in `Health/List`: `open`,
   * `token` (scope `metrics:read` or `process:read`) or `off`. Without it a response has the status only. `true` is the
   * default of the environment, `false` is `off`. On the management port details are always shown.
   */
  @ExposureOption()
  @IsIn(exposures)
  readonly details: Exposure = 'token';
}

/** Token of the present `HealthOptions`, as `Live<HealthOptions>`. Where nobody provides it, the defaults hold. */
export const HEALTH_OPTIONS: unique symbol = Symbol('HEALTH_OPTIONS');
