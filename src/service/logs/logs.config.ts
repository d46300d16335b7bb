import { IsInt, Max, Min } from 'class-validator';
import { ConfigPrefix } from 'rookery/core';

/** The section `logs`; a change takes effect with the next upload. */
@ConfigPrefix('logs')
export class LogsConfig {
  /** Most entries of one upload. */
  @IsInt()
  @Min(1)
  readonly maxEntriesPerUpload: number = 1_000_000;

  /** Entries that are written at a time, 1 to 2000. More make an upload faster and other requests wait longer. */
  @IsInt()
  @Min(1)
  @Max(2000)
  readonly batchSize: number = 500;
}
