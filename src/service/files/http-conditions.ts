import { entityTagsOf, parseHttpDate } from 'rookery/core';

/** What tells one state of a file from another. */
export interface FileValidators {
  /** A strong entity tag, in quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
}

/** The request headers that make an answer depend on what the caller has. */
export interface ConditionHeaders {
  readonly 'if-none-match'?: string | undefined;
  readonly 'if-modified-since'?: string | undefined;
  readonly 'if-range'?: string | undefined;
}

/**
 * Whether the caller has the present state, so that 304 is the answer.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2 the tag, where there is one, decides alone
 */
export function isNotModified(headers: ConditionHeaders, { etag, modifiedMs }: FileValidators): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) {
    // Compared weakly: the mark does not count. A list that is none names no state.
    const known = entityTagsOf(tags);
    return known === '*' || known?.includes(etag) === true;
  }
  const sinceMs = parseHttpDate(headers['if-modified-since'] ?? '');
  return sinceMs !== undefined && wholeSeconds(modifiedMs) <= sinceMs;
}

/** Whether a `Range` header counts: always without `If-Range`, else only while the file is the one the caller has a part of. */
export function isRangeWelcome(headers: ConditionHeaders, { etag, modifiedMs }: FileValidators): boolean {
  const condition = headers['if-range'];
  if (condition === undefined) return true;
  return condition.startsWith('"') ? condition === etag : wholeSeconds(modifiedMs) === parseHttpDate(condition);
}

// HTTP dates have no fractions.
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
