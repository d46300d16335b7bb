import { createHash } from 'node:crypto';
import { ValidationError } from 'rookery/pipeline';

// 48 bits: enough to tell a damaged or misused token, which is all it is for. A token holds nothing secret, and
// one made by hand gives only what a query by hand would.
const checksumBytes = 6;

/**
 * Makes the token by which a caller asks for the next page.
 *
 * @param list      what is listed and by which filter; a token made for another list is refused
 * @param position  the sort key of the page's last item
 */
export function pageTokenAfter(list: string, position: readonly bigint[]): string {
  const text = position.join(',');
  return Buffer.concat([checksum(list, text), Buffer.from(text)]).toString('base64url');
}

/**
 * Reads a page token.
 *
 * @returns the position, `length` numbers of 64 bits; `undefined` for the empty token, which stands for the first page
 * @throws ValidationError the token was changed, or made for another list
 */
export function readPageToken(list: string, token: string, length: number): readonly bigint[] | undefined {
  if (token === '') return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const text = bytes.toString('latin1', checksumBytes);
  const isGenuine =
    bytes.toString('base64url') === token && bytes.subarray(0, checksumBytes).equals(checksum(list, text));
  const numbers = text.split(',');
  if (!isGenuine || numbers.length !== length || !numbers.every((number) => /^-?\d{1,19}$/.test(number))) {
    throw new ValidationError([
      {
        field: 'pageToken',
        rule: 'isPageToken',
        message: 'pageToken must be the nextPageToken of a page of the same list',
      },
    ]);
  }
  return numbers.map(BigInt);
}

function checksum(list: string, text: string): Buffer {
  return createHash('sha256').update(`${list}\0${text}`).digest().subarray(0, checksumBytes);
}
