import { IsIn } from 'class-validator';
import { ConfigPrefix, type Exposure, ExposureOption, exposures, NeedsRestart } from '../core/index.js';

/** What the process publishes about itself; the section `telemetry` of the configuration. */
@ConfigPrefix('telemetry')
export class TelemetryOptions {
  /**
   * Access to `GET /metrics`: `open`, `token` (scope `metrics:read` or `process:read`) or `off`. `true` is the default of
   * the environment, `false` is `off`. With `management.port` they are served there only.
   */
  @NeedsRestart()
  @ExposureOption()
  @IsIn(exposures)
  readonly metrics: Exposure = 'token';
}

/** Token of the present `TelemetryOptions`, as `Live<TelemetryOptions>`. Where nothing is provided, the defaults hold. */
export const TELEMETRY_OPTIONS: unique symbol = Symbol('TELEMETRY_OPTIONS');
