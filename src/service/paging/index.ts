/**
 * Pages of lists: how many items, and the opaque token by which the next page is asked for.
 *
 * @example
 * const after = readPageToken('users', input.pageToken, 1);
 * const limit = pageSizeOf(input.pageSize, this.paging.value);
 */
export { pageSizeOf } from './page-size.js';
export { pageTokenAfter, readPageToken } from './page-token.js';
export { PagingConfig } from './paging.config.js';
