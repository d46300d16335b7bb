import {
  carriageReturn,
  colon,
  del,
  isBlank,
  lineFeed,
  space,
  tab,
  TargetPart,
  targetPart,
  tokenLower,
} from './characters.js';
import { FieldKind, type FieldName, fieldName, nextHash } from './field-names.js';
import { type Http1Refusal, type Http1RefusalKind, refusal } from './refusal.js';

/** What a reader is reading; each begins where the one before has ended. */
const Part = {
  emptyLine: 0,
  emptyLineEnd: 1,
  method: 2,
  target: 3,
  version: 4,
  name: 5,
  value: 6,
  lineEnd: 7,
  lastLineEnd: 8,
  done: 9,
} as const;

/** What `read` returns when there is more to come, or never will be. */
export const notYet = -1;

// One is what old clients send behind a body (RFC 9112 section 2.2); nobody sends many.
const maxEmptyLines = 4;
// Longer than any registered method by far.
const maxMethodBytes = 64;
const versionPrefix = Buffer.from('HTTP/');
/** Bytes of `HTTP/1.1`. */
const versionBytes = 8;
const longestNamed = 64;

const [zero, one, nine, dot] = Buffer.from('019.') as unknown as readonly [number, number, number, number];

/**
 * Splits a request head, or a trailer section, into its parts: RFC 9112 sections 2 to 5. It may come in pieces, cut at any
 * byte; each byte is looked at once, and what cannot become a head is refused at its first wrong byte.
 *
 * Stricter than the RFC where that lets a server be lenient: a line ends with CR LF and nothing else.
 */
export class HeadReader {
  /** Set when `read` has come upon something that is not allowed. */
  refusal: Http1Refusal | undefined;
  /** Whole fields, by which the lists beside are to be read: these are used again, and not cleared. */
  fieldCount = 0;
  readonly names: FieldName[] = [];
  /** Where the values start and end, as offsets from where the bytes start. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Offset of the head, behind empty lines; of the ends of its method and its target. */
  beginAt = 0;
  methodEnd = 0;
  targetEnd = 0;
  minorVersion = 1;

  #maxBytes = 0;
  #maxFields = 0;
  #part: number = Part.emptyLine;
  /** Offset of what has not been looked at. */
  #at = 0;
  /** Offset of the part that is being read. */
  #partAt = 0;
  #hash = 0;
  #isInQuery = false;
  #emptyLines = 0;

  /** Makes ready for a head. */
  begin(maxBytes: number, maxFields: number): void {
    this.#reset(Part.emptyLine, maxBytes, maxFields);
  }

  /** Makes ready for a trailer section, which is fields only. */
  beginTrailers(maxBytes: number, maxFields: number): void {
    this.#reset(Part.name, maxBytes, maxFields);
  }

  /** Something of a head has come, be it only its first byte. */
  get isInside(): boolean {
    return this.#part > Part.emptyLineEnd;
  }

  /** One of the fields says where a message ends or whom it is for. */
  get hasSpecial(): boolean {
    for (let i = 0; i < this.fieldCount; i += 1) {
      const kind = this.names[i]?.kind ?? FieldKind.plain;
      if (kind !== FieldKind.plain && kind < FieldKind.authorization) return true;
    }
    return false;
  }

  /**
   * Goes on in `bytes`, where the head starts at `start`; what was there at the call before must be there again.
   *
   * @returns where the head ends, or `notYet`; see `refusal`
   */
  read(bytes: Buffer, start: number, end: number): number {
    let at = start + this.#at;
    while (at < end) {
      const limit = start + this.beginAt + this.#maxBytes;
      if (at >= limit) return this.#fail('headers-too-large', `headers: more than ${this.#maxBytes} bytes`);
      at = this.#readPart(bytes, start, at, end < limit ? end : limit);
      if (at < 0) return notYet;
      if (this.#part !== Part.done) continue;
      this.#at = at - start;
      return at;
    }
    this.#at = at - start;
    return notYet;
  }

  /** Returns the place behind the part, or behind the last byte that there is; or a negative number: refused. */
  #readPart(bytes: Buffer, start: number, at: number, end: number): number {
    switch (this.#part) {
      case Part.name:
        return this.#name(bytes, start, at, end);
      case Part.value:
        return this.#value(bytes, start, at, end);
      case Part.lineEnd:
        return this.#lineEnd(bytes, start, at, Part.name);
      case Part.lastLineEnd:
        return this.#lineEnd(bytes, start, at, Part.done);
      case Part.emptyLine:
        return this.#emptyLine(bytes, start, at);
      case Part.emptyLineEnd:
        return this.#lineEnd(bytes, start, at, Part.emptyLine);
      case Part.method:
        return this.#method(bytes, start, at, end);
      case Part.target:
        return this.#target(bytes, start, at, end);
      default:
        return this.#version(bytes, start, at, end);
    }
  }

  #emptyLine(bytes: Buffer, start: number, at: number): number {
    if (bytes[at] === carriageReturn) {
      this.#emptyLines += 1;
      if (this.#emptyLines > maxEmptyLines) return this.#fail('malformed', 'request line: missing, only empty lines');
      this.#part = Part.emptyLineEnd;
      return at + 1;
    }
    this.beginAt = at - start;
    this.#next(Part.method, start, at);
    return at;
  }

  #lineEnd(bytes: Buffer, start: number, at: number, next: number): number {
    if (bytes[at] !== lineFeed) return this.#fail('malformed', 'line: CR without LF');
    this.#next(next, start, at + 1);
    return at + 1;
  }

  #method(bytes: Buffer, start: number, from: number, end: number): number {
    let at = from;
    while (at < end && tokenLower[bytes[at] as number] !== 0) at += 1;
    const length = at - start - this.#partAt;
    if (length > maxMethodBytes) return this.#fail('malformed', `method: more than ${maxMethodBytes} characters`);
    if (at === end) return at;
    if (bytes[at] !== space || length === 0) return this.#fail('malformed', 'method: not a token and a space');
    this.methodEnd = at - start;
    this.#next(Part.target, start, at + 1);
    return at + 1;
  }

  #target(bytes: Buffer, start: number, from: number, end: number): number {
    let at = from;
    if (!this.#isInQuery) {
      while (at < end && targetPart[bytes[at] as number] === TargetPart.path) at += 1;
      this.#isInQuery = at < end && targetPart[bytes[at] as number] === TargetPart.queryMark;
    }
    if (this.#isInQuery) while (at < end && targetPart[bytes[at] as number] !== TargetPart.nothing) at += 1;
    if (at === end) return at;
    if (bytes[at] !== space)
      return this.#fail('malformed', 'target: forbidden character (expected: a path and a query of RFC 3986)');
    if (at - start === this.#partAt) return this.#fail('malformed', 'target: empty');
    this.targetEnd = at - start;
    this.#next(Part.version, start, at + 1);
    return at + 1;
  }

  #version(bytes: Buffer, start: number, from: number, end: number): number {
    const first = start + this.#partAt;
    for (let at = from; at < end; at += 1) {
      const byte = bytes[at] as number;
      const place = at - first;
      if (place === versionBytes) return this.#versionEnd(bytes, start, at);
      const expected = versionPrefix[place];
      const isDigit = byte >= zero && byte <= nine;
      if (expected === undefined ? (place === 6 ? byte !== dot : !isDigit) : byte !== expected) {
        return this.#fail('malformed', 'request line: no HTTP version (expected: HTTP/1.1)');
      }
    }
    return end;
  }

  #versionEnd(bytes: Buffer, start: number, at: number): number {
    if (bytes[at] !== carriageReturn) return this.#fail('malformed', 'request line: does not end with CR LF');
    const minor = bytes[at - 1] as number;
    if (bytes[at - 3] !== one || minor > one)
      return this.#fail('version', 'HTTP version: not served (expected: 1.1 or 1.0)');
    this.minorVersion = minor - zero;
    this.#next(Part.lineEnd, start, at + 1);
    return at + 1;
  }

  #name(bytes: Buffer, start: number, from: number, end: number): number {
    const first = start + this.#partAt;
    let at = from;
    let lower = 0;
    let hash = this.#hash;
    while (at < end && (lower = tokenLower[bytes[at] as number] as number) !== 0) {
      hash = nextHash(hash, lower);
      at += 1;
    }
    this.#hash = hash;
    if (at === end) return at;
    if (at === first && bytes[at] === carriageReturn) {
      this.#part = Part.lastLineEnd;
      return at + 1;
    }
    if (bytes[at] !== colon || at === first) return this.#fail('malformed', 'field name: not a token and a colon');
    if (this.fieldCount === this.#maxFields) {
      return this.#fail('headers-too-large', `headers: more than ${this.#maxFields} fields`);
    }
    this.names[this.fieldCount] = fieldName(bytes, first, at, hash);
    this.#next(Part.value, start, at + 1);
    return at + 1;
  }

  #value(bytes: Buffer, start: number, from: number, end: number): number {
    let at = from;
    let byte = 0;
    while (at < end && (((byte = bytes[at] as number) >= space && byte !== del) || byte === tab)) at += 1;
    if (at === end) return at;
    if (byte !== carriageReturn)
      return this.#fail('malformed', `value of ${this.#nameForPeople()}: forbidden character`);
    let first = start + this.#partAt;
    let last = at;
    while (first < last && isBlank(bytes[first] as number)) first += 1;
    while (last > first && isBlank(bytes[last - 1] as number)) last -= 1;
    this.starts[this.fieldCount] = first - start;
    this.ends[this.fieldCount] = last - start;
    this.fieldCount += 1;
    this.#part = Part.lineEnd;
    return at + 1;
  }

  #nameForPeople(): string {
    const name = this.names[this.fieldCount]?.name ?? '';
    return name.length > longestNamed ? 'a field' : name;
  }

  #next(part: number, start: number, at: number): void {
    this.#part = part;
    this.#partAt = at - start;
    this.#hash = 0;
  }

  #fail(kind: Http1RefusalKind, message: string): number {
    this.refusal = refusal(kind, message);
    return notYet;
  }

  #reset(part: number, maxBytes: number, maxFields: number): void {
    this.#maxBytes = maxBytes;
    this.#maxFields = maxFields;
    this.refusal = undefined;
    this.fieldCount = 0;
    this.beginAt = 0;
    this.methodEnd = 0;
    this.targetEnd = 0;
    this.#part = part;
    this.#at = 0;
    this.#partAt = 0;
    this.#hash = 0;
    this.#isInQuery = false;
    this.#emptyLines = 0;
  }
}
