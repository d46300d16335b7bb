/**
 * Pages of lists: how many items, and the opaque token by which the next page is asked for.
 *
 * @example
 * const after = readPageToken('users', input.pageToken, [int64]);
 * const limit = pageSizeOf(input.pageSize, this.paging.value);
 */
export { pageSizeOf } from './page-size.js';
export { int64, pageTokenAfter, positiveInt64, readPageToken } from './page-token.js';
export { PagingConfig } from './paging.config.js';
