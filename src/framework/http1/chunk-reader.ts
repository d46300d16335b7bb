import {
  backslash,
  carriageReturn,
  del,
  doubleQuote,
  equals,
  hexValue,
  lineFeed,
  semicolon,
  space,
  tab,
  tokenLower,
} from './characters.js';
import { notYet } from './head-reader.js';
import { type Http1Refusal, refusal } from './refusal.js';

const Part = {
  size: 0,
  extensionName: 1,
  extensionValue: 2,
  quoted: 3,
  escaped: 4,
  sizeEnd: 5,
  data: 6,
  dataReturn: 7,
  dataEnd: 8,
  trailers: 9,
  quotedEnd: 10,
} as const;

// 2^53-1 has 14 digits; more would only be zeros in front.
const maxSizeDigits = 16;

/**
 * Takes the chunks of a body apart: RFC 9112 section 7.1. They may come in pieces, cut at any byte.
 *
 * Stricter than the RFC where that lets a server be lenient: no white space around the size and in extensions.
 */
export class ChunkReader {
  /** Set when `read` has come upon something that is not allowed. */
  refusal: Http1Refusal | undefined;
  /** What `read` has come upon of the body. */
  dataStart = 0;
  dataEnd = 0;
  readonly #maxExtensionBytes: number;
  #part: number = Part.size;
  #digits = 0;
  /** Of the chunk: all of it, and then what is still to come. */
  #bytes = 0;
  #extensionBytes = 0;
  /** Whether something of the part has come. */
  #hasSome = false;

  constructor(maxExtensionBytes: number) {
    this.#maxExtensionBytes = maxExtensionBytes;
  }

  /** The last chunk has come; the trailer section follows. */
  get isAtTrailers(): boolean {
    return this.#part === Part.trailers;
  }

  /**
   * Goes on at `from`, up to the end of the next piece of data, to the trailers or to `end`.
   *
   * @returns the place behind; `notYet`: refused
   */
  read(bytes: Buffer, from: number, end: number): number {
    this.dataStart = 0;
    this.dataEnd = 0;
    let at = from;
    while (at < end && this.#part !== Part.trailers) {
      if (this.#part === Part.data) return this.#data(at, end);
      const wrong = this.#part === Part.size ? this.#size(bytes[at] as number) : this.#other(bytes[at] as number);
      if (wrong !== '') return this.#fail(wrong);
      at += 1;
    }
    return at;
  }

  #data(at: number, end: number): number {
    this.dataStart = at;
    this.dataEnd = Math.min(end, at + this.#bytes);
    this.#bytes -= this.dataEnd - at;
    if (this.#bytes === 0) this.#part = Part.dataReturn;
    return this.dataEnd;
  }

  /** Returns what is wrong, or nothing. */
  #size(byte: number): string {
    const digit = hexValue[byte] as number;
    if (digit >= 0) {
      this.#digits += 1;
      this.#bytes = this.#bytes * 16 + digit;
      return this.#digits > maxSizeDigits || this.#bytes > Number.MAX_SAFE_INTEGER
        ? 'chunk size: more than 2^53-1'
        : '';
    }
    if (this.#digits === 0) return 'chunk size: not a hexadecimal number';
    return this.#sizeIsOver(byte, 'chunk size: not a hexadecimal number and CR LF');
  }

  /** The size, or an extension, is whole: another extension follows, or the end of the line. */
  #sizeIsOver(byte: number, wrong: string): string {
    if (byte === carriageReturn) this.#part = Part.sizeEnd;
    else if (byte === semicolon) this.#beginExtensionPart(Part.extensionName);
    else return wrong;
    return '';
  }

  #other(byte: number): string {
    switch (this.#part) {
      case Part.sizeEnd:
        return this.#lineEnd(byte, this.#bytes === 0 ? Part.trailers : Part.data);
      case Part.dataReturn:
        this.#part = Part.dataEnd;
        return byte === carriageReturn ? '' : 'chunk: longer than its size';
      case Part.dataEnd:
        this.#digits = 0;
        return this.#lineEnd(byte, Part.size);
      default:
        this.#extensionBytes += 1;
        return this.#extensionBytes > this.#maxExtensionBytes
          ? `chunk extensions: more than ${this.#maxExtensionBytes} bytes`
          : this.#extension(byte);
    }
  }

  #lineEnd(byte: number, next: number): string {
    this.#part = next;
    return byte === lineFeed ? '' : 'chunk: CR without LF';
  }

  // RFC 9112 section 7.1.1. What they say is of no interest.
  #extension(byte: number): string {
    if (this.#part === Part.quoted) return this.#quoted(byte);
    if (this.#part === Part.escaped) {
      this.#part = Part.quoted;
      return isText(byte) ? '' : forbidden;
    }
    if (this.#part === Part.quotedEnd) return this.#sizeIsOver(byte, forbidden);
    if (tokenLower[byte] !== 0) {
      this.#hasSome = true;
      return '';
    }
    const isValue = this.#part === Part.extensionValue;
    if (!this.#hasSome) {
      if (!isValue || byte !== doubleQuote) return forbidden;
      this.#part = Part.quoted;
      return '';
    }
    if (isValue || byte !== equals) return this.#sizeIsOver(byte, forbidden);
    this.#beginExtensionPart(Part.extensionValue);
    return '';
  }

  #quoted(byte: number): string {
    if (byte === doubleQuote) this.#part = Part.quotedEnd;
    else if (byte === backslash) this.#part = Part.escaped;
    else if (!isText(byte)) return forbidden;
    return '';
  }

  #beginExtensionPart(part: number): void {
    this.#part = part;
    this.#hasSome = false;
  }

  #fail(message: string): number {
    this.refusal = refusal('malformed', message);
    return notYet;
  }
}

const forbidden = 'chunk extension: forbidden character';

function isText(byte: number): boolean {
  return (byte >= space && byte !== del) || byte === tab;
}
