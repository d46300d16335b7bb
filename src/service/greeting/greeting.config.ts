import { Length } from 'class-validator';
import { ConfigPrefix } from 'rookery/core';

/** The section `greeting`; a change takes effect with the next request. */
@ConfigPrefix('greeting')
export class GreetingConfig {
  /** What the service says to everybody, 1 to 200 characters. */
  @Length(1, 200)
  readonly text: string = 'Welcome to the rookery.';
}
