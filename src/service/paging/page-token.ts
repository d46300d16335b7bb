import { createHash } from 'node:crypto';
import { ValidationError } from 'rookery/pipeline';

// 48 bits: enough to tell a damaged or misused token, which is all it is for. A token holds nothing secret, and
// one made by hand gives only what a query by hand would.
const checksumBytes = 6;

/** The numbers that a part of a sort key can be, both ends included. */
export interface NumberRange {
  readonly min: bigint;
  readonly max: bigint;
}

/** What the database keeps in a column of 64 bits. */
export const int64: NumberRange = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** The ids that the database assigns. */
export const positiveInt64: NumberRange = { min: 1n, max: int64.max };

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
 * @param ranges  what each number of the sort key can be: anybody can make a token, and the database refuses a number
 *   that its column has no room for
 * @returns the position, one number for each range; `undefined` for the empty token, which stands for the first page
 * @throws ValidationError the token was changed, made for another list, or by hand with numbers that no item has
 */
export function readPageToken(
  list: string,
  token: string,
  ranges: readonly NumberRange[],
): readonly bigint[] | undefined {
  if (token === '') return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const text = bytes.toString('latin1', checksumBytes);
  const isGenuine =
    bytes.toString('base64url') === token && bytes.subarray(0, checksumBytes).equals(checksum(list, text));
  const position = isGenuine ? readPosition(text, ranges) : undefined;
  if (position === undefined) {
    throw new ValidationError([
      {
        field: 'pageToken',
        rule: 'isPageToken',
        message: 'pageToken must be the nextPageToken of a page of the same list',
      },
    ]);
  }
  return position;
}

function readPosition(text: string, ranges: readonly NumberRange[]): readonly bigint[] | undefined {
  const digits = text.split(',');
  if (digits.length !== ranges.length || !digits.every((number) => /^-?\d{1,19}$/.test(number))) return undefined;
  const numbers = digits.map(BigInt);
  const isInRange = ranges.every(({ min, max }, at) => {
    const number = numbers[at];
    return number !== undefined && number >= min && number <= max;
  });
  return isInRange ? numbers : undefined;
}

function checksum(list: string, text: string): Buffer {
  return createHash('sha256').update(`${list}\0${text}`).digest().subarray(0, checksumBytes);
}
