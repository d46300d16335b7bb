import { IsNotEmpty, IsString, Matches } from 'class-validator';
import { ConfigPrefix, NeedsRestart } from '../core/index.js';

/** What the service is called; the section `app` of the configuration. */
@ConfigPrefix('app')
export class AppOptions {
  /** Name of the service: the domain of error reasons, its name in tokens and logs. */
  @IsString()
  @Matches(/^[a-z][a-z0-9.-]{0,62}$/, {
    message: '$property must be lower case letters, digits, dots and hyphens, 1 to 63 characters',
  })
  @NeedsRestart()
  readonly name: string = 'rookery';

  /** Version of the service, as `/openapi.json` and the log tell it. */
  @IsString()
  @IsNotEmpty()
  @NeedsRestart()
  readonly version: string = '0.0.0';
}
