import { listOf, type RookeryError } from '../core/index.js';
import { ExpectationFailedError } from './http.errors.js';
import type { RestHead } from './rest-stream.js';

/**
 * Why HTTP itself has a request refused, where the engines leave that to the face.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110.html#section-10.1.1 expectations
 */
export function brokenRule({ headers, http1 }: RestHead): RookeryError | undefined {
  const expect = headers.get('expect');
  if (expect === undefined || listOf(expect).every(isContinue)) return undefined;
  // HTTP/1.0 has no expectations.
  return http1?.httpVersionMinor === 0 ? undefined : new ExpectationFailedError();
}

/** Whether `100 Continue` is waited for before the body. */
export function expectsContinue(expect: string | undefined): boolean {
  return expect !== undefined && listOf(expect).some(isContinue);
}

function isContinue(expectation: string): boolean {
  return expectation.toLowerCase() === '100-continue';
}
