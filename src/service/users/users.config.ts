import { IsBoolean } from 'class-validator';
import { ConfigPrefix, NeedsRestart } from 'rookery/core';

/** The section `users`. */
@ConfigPrefix('users')
export class UsersConfig {
  /** Whether a database without users gets three at start: for development and tests. */
  @IsBoolean()
  @NeedsRestart()
  readonly seed: boolean = false;
}
