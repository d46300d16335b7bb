/**
 * Values of header fields by the grammar of RFC 9110 section 5.6, as they come over the wire: one character for each byte.
 *
 * `String.trim()`, `\s` and `Number()` accept more white space than SP and HTAB, among it the byte 0xA0, which a field may
 * carry. These functions accept SP and HTAB only.
 */

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Whether `text` is a token: RFC 9110 section 5.6.2. */
export function isToken(text: string): boolean {
  return tokenPattern.test(text);
}

const space = 0x20;
const tab = 0x09;

function isBlank(char: number): boolean {
  return char === space || char === tab;
}

/** `text` without the white space at its ends that HTTP knows, SP and HTAB: RFC 9110 section 5.6.3. */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/**
 * The elements of a comma-separated list, without the white space around them and without empty ones: RFC 9110 section
 * 5.6.1.2. A comma in a quoted string separates nothing.
 */
export function listOf(value: string): string[] {
  const elements: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at <= value.length; at += 1) {
    const char = value[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (char === '\\' && isQuoted && at + 1 < value.length) at += 1;
    else if (char === undefined || (char === ',' && !isQuoted)) {
      const element = trimOws(value.slice(start, at));
      if (element !== '') elements.push(element);
      start = at + 1;
    }
  }
  return elements;
}

/** A word with parameters, such as a media type. */
export interface Parameterized {
  /** In lower case. */
  readonly name: string;
  /** By their names in lower case; values as sent, without quotes and escapes. The first of two of one name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

// RFC 9110 section 5.6.6: an empty parameter is one, too.
const parameter =
  /[ \t]*;[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"))?/y;

/** Reads a token, or two with a slash between, and the parameters behind. `undefined`: it is not well formed. */
export function parameterized(text: string): Parameterized | undefined {
  const semicolon = text.indexOf(';');
  const name = semicolon < 0 ? text : trimOws(text.slice(0, semicolon));
  const slash = name.indexOf('/');
  if (!isToken(slash < 0 ? name : name.slice(0, slash)) || (slash >= 0 && !isToken(name.slice(slash + 1))))
    return undefined;
  const parameters = new Map<string, string>();
  let at = semicolon < 0 ? text.length : semicolon;
  while (at < text.length) {
    parameter.lastIndex = at;
    const match = parameter.exec(text);
    if (match === null) return undefined;
    const [all, key, plain, quoted = ''] = match;
    if (key !== undefined && !parameters.has(key.toLowerCase()))
      parameters.set(key.toLowerCase(), plain ?? quoted.replaceAll(/\\(.)/g, '$1'));
    at += all.length;
  }
  return { name: name.toLowerCase(), parameters };
}

/** Reads a media type: RFC 9110 section 8.3.1. `undefined`: it is not well formed. */
export function mediaTypeOf(value: string): Parameterized | undefined {
  const read = parameterized(value);
  return read !== undefined && read.name.includes('/') ? read : undefined;
}

const quality = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

// A weight is no token and no quoted string: RFC 9110 section 12.4.2.
const quotedWeight = /;[ \t]*q="/i;

/** The elements of `accept`, `accept-encoding` and their like with their weights, 0 to 1; those that are not well formed are left out. */
export function weightedListOf(value: string): readonly (Parameterized & { readonly weight: number })[] {
  return listOf(value).flatMap((element) => {
    const read = parameterized(element);
    const weight = read?.parameters.get('q') ?? '1';
    return read !== undefined && quality.test(weight) && !quotedWeight.test(element)
      ? [{ ...read, weight: Number(weight) }]
      : [];
  });
}

/**
 * The opaque tags, in their quotes, that `if-none-match` or `if-match` names, without the mark of a weak one; `'*'` for
 * any. `undefined`: the value is not well formed, and is to be ignored.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
 */
export function entityTagsOf(value: string): readonly string[] | '*' | undefined {
  if (value === '*') return value;
  const elements = listOf(value);
  const tags: string[] = [];
  for (const element of elements) {
    const [, tag] = /^(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")$/.exec(element) ?? [];
    if (tag === undefined) return undefined;
    tags.push(tag);
  }
  return tags.length === 0 ? undefined : tags;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const month = `(${months.join('|')})`;
const time = '(\\d{2}):(\\d{2}):(\\d{2})';
const fixdate = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\\d{2}) ${month} (\\d{4}) ${time} GMT$`);
const rfc850 = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d{2})-${month}-(\\d{2}) ${time} GMT$`);
const asctime = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (\\d{2}| \\d) ${time} (\\d{4})$`);

/**
 * Reads a date in one of the three forms of HTTP, and in no other that `Date.parse` knows.
 *
 * @returns ms since 1970; `undefined` for anything else, which is then to be ignored
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
 */
export function parseHttpDate(value: string): number | undefined {
  let match = fixdate.exec(value);
  if (match !== null) return dateOf(Number(match[3]), match[2], match[1], match.slice(4));
  match = rfc850.exec(value);
  if (match !== null) return dateOf(fullYear(Number(match[3])), match[2], match[1], match.slice(4));
  match = asctime.exec(value);
  return match === null ? undefined : dateOf(Number(match[6]), match[1], match[2]?.trimStart(), match.slice(3, 6));
}

function dateOf(year: number, name = '', day = '', clock: readonly string[] = []): number | undefined {
  const [hour = 0, minute = 0, second = 0] = clock.map(Number);
  const at = months.indexOf(name);
  // 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, at, Number(day));
  if (midnight.getUTCMonth() !== at) return undefined;
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
}

// A year that seems more than 50 years in the future is the last one in the past with the same digits.
function fullYear(digits: number): number {
  const present = new Date().getUTCFullYear();
  const year = present - (present % 100) + digits;
  return year > present + 50 ? year - 100 : year;
}

const visible = /^[\x20-\x7e]*$/;

/** Whether `text` is printable ASCII: what W3C Trace Context and gRPC allow in the values that are passed on. */
export function isPrintable(text: string): boolean {
  return visible.test(text);
}
