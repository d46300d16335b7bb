import { IsBoolean, IsNotEmpty, IsString } from 'class-validator';
import { ConfigPrefix, NeedsRestart } from 'rookery/core';

/** The section `files`. */
@ConfigPrefix('files')
export class FilesConfig {
  /** Folder whose files are offered; made at start if need be. */
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  readonly directory: string = '.data/files';

  /** Whether two files to try downloads with are made at start: for development and tests. */
  @IsBoolean()
  @NeedsRestart()
  readonly seed: boolean = false;
}
