import { listOf, type RookeryError } from '../core/index.js';
import { ExpectationFailedError, TooManyQueryParametersError } from './http.errors.js';
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

/** Why a request is refused whose query has more than `most` parameters. A path that is shorter than that is not looked at. */
export function tooManyParameters(path: string, most: number): RookeryError | undefined {
  if (path.length <= most) return undefined;
  let at = path.indexOf('?');
  let parameters = 0;
  while (at >= 0) {
    parameters += 1;
    if (parameters > most) return new TooManyQueryParametersError(most);
    at = path.indexOf('&', at + 1);
  }
  return undefined;
}
