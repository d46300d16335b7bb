import type { RookeryError } from '../core/index.js';
import { ExpectationFailedError, MalformedRequestError } from './http.errors.js';

/** What of Node's request object the rules look at; both protocols have it. */
export interface RuledRequest {
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly headers: { readonly expect?: string | undefined };
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/**
 * Why HTTP itself has a request refused, where Node's parser leaves that to us.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112.html#section-3.2 one `host`
 * @see https://www.rfc-editor.org/rfc/rfc9110.html#section-10.1.1 expectations
 */
export function brokenRule(request: RuledRequest): RookeryError | undefined {
  const { expect } = request.headers;
  const isOld = request.httpVersionMajor === 1 && request.httpVersionMinor === 0;
  if (expect !== undefined && !isOld && !expectsContinue(expect)) return new ExpectationFailedError();
  if (request.httpVersionMajor !== 1) return undefined;
  const hosts = countOf('host', request.rawHeaders);
  return hosts === 1 || (isOld && hosts === 0)
    ? undefined
    : new MalformedRequestError(`the request has ${hosts} host headers (expected: 1)`);
}

/** Whether `100 Continue` is waited for before the body. */
export function expectsContinue(expect: string | undefined): boolean {
  return expect !== undefined && /(^|\W)100-continue(\W|$)/i.test(expect);
}

function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const each = rawHeaders[at] as string;
    if (each.length === name.length && each.toLowerCase() === name) count += 1;
  }
  return count;
}
