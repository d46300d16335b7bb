import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsBoolean, IsInt, IsNumber, IsOptional, Max, Min, ValidateNested } from 'class-validator';
import { ConfigPrefix, NeedsRestart } from '../core/index.js';

/** When a change is taken back because the service does worse with it. */
export class ProbationOptions {
  /** Whether changes are on probation at all. */
  @IsBoolean()
  readonly enabled: boolean = false;

  /** How long a change is watched, in ms. One more change meanwhile begins the time anew. */
  @IsInt()
  @Min(100)
  @Max(3_600_000)
  readonly durationMs: number = 30_000;

  /**
   * The part of the requests that may fail by the service's own fault. Failures that are a client's fault, another service's,
   * or due to load are not counted at all.
   */
  @IsNumber()
  @Min(0)
  @Max(1)
  readonly maxErrorRatio: number = 0.05;

  /**
   * The time that the service itself may take for 99 of 100 requests, in ms; judged from 100 requests on. Streams do not
   * count, nor does the time in which a client sends and reads. Not looked at by default.
   */
  @IsOptional()
  @IsNumber()
  @Min(1)
  readonly maxP99Ms?: number;

  /** Requests to wait for before anything is judged. */
  @IsInt()
  @Min(1)
  readonly minRequests: number = 20;
}

/** How the configuration itself follows its sources. */
@ConfigPrefix('config')
export class ConfigOptions {
  /** Whether edited files are taken over while the process runs. */
  @NeedsRestart()
  @IsBoolean()
  readonly watch: boolean = true;

  /** How long the files must be left alone before they are read, in ms: whoever writes is to be done with all of them. */
  @NeedsRestart()
  @IsInt()
  @Min(10)
  @Max(10_000)
  readonly settleMs: number = 100;

  /**
   * How long a change waits at most for the files to be left alone, in ms: what is written to without rest is read then, as
   * it is at that moment.
   */
  @NeedsRestart()
  @IsInt()
  @Min(10)
  @Max(600_000)
  readonly maxSettleMs: number = 5000;

  /** How often the files are looked at without a sign, in ms: network file systems give none. */
  @NeedsRestart()
  @IsInt()
  @Min(100)
  @Max(3_600_000)
  readonly pollMs: number = 10_000;

  /** Takes a change back when errors or latency rise after it. */
  @ValidateNested()
  @Type(() => ProbationOptions)
  readonly probation: ProbationOptions = new ProbationOptions();
}
