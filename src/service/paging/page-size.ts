import type { PagingConfig } from './paging.config.js';

// What a caller who does not care gets: a screenful.
const defaultPageSize = 20;

/** Items on a page for a caller who asked for `asked`: 0 asks for 20, and nobody gets more than the maximum. */
export function pageSizeOf(asked: number, { maxPageSize }: PagingConfig): number {
  return Math.min(asked === 0 ? defaultPageSize : asked, maxPageSize);
}
