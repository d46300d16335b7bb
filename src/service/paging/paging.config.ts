import { IsInt, Max, Min } from 'class-validator';
import { ConfigPrefix } from 'rookery/core';

/** The section `paging`; a change takes effect with the next request. */
@ConfigPrefix('paging')
export class PagingConfig {
  /** Most items on a page, 1 to 10000; who asks for more gets this many. */
  @IsInt()
  @Min(1)
  @Max(10_000)
  readonly maxPageSize: number = 100;
}
