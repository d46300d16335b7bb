import { STATUS_CODES } from 'node:http';
import { isFieldValue, isToken } from './characters.js';
import { Http1HeaderError } from './http1.errors.js';
import type { Http1Field, Http1Fields } from './http1-stream.js';

/** Nobody has said how long the body will be. */
export const unknownLength = -1;

/** What fields to send begin with. */
export const Opening = { final: 0, interim: 1, trailers: 2 } as const;

const Kind = { plain: 0, contentLength: 1, transferEncoding: 2, connection: 3, keepAlive: 4 } as const;

const kinds = new Map<string, number>([
  ['content-length', Kind.contentLength],
  ['transfer-encoding', Kind.transferEncoding],
  ['connection', Kind.connection],
  ['keep-alive', Kind.keepAlive],
]);

/** Not in trailers: RFC 9110 section 6.5.1. */
const notInTrailers = /^(?:content-length|transfer-encoding|connection|keep-alive|host|trailer|te|upgrade)$/;

/** A name as it was given, and the line it was sent in last. */
interface OutgoingName {
  readonly kind: number;
  readonly prefix: string;
  value: string;
  line: string;
}

const names = new Map<string, OutgoingName>();

// Names that applications use number dozens.
const rememberedNames = 1024;
const longestRememberedValue = 256;

function outgoingName(name: string): OutgoingName {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (!isToken(name)) throw new Http1HeaderError(`field name: ${JSON.stringify(name)} (expected: a token)`);
  const made = {
    kind: kinds.get(name.toLowerCase()) ?? Kind.plain,
    prefix: `${name}: `,
    value: '',
    line: `${name}: \r\n`,
  };
  if (names.size < rememberedNames) names.set(name, made);
  return made;
}

/** Most fields say the same in each answer: what was checked and put together once need not be again. */
function lineOf(known: OutgoingName, { name, value }: Http1Field): string {
  if (known.value === value) return known.line;
  if (!isFieldValue(value)) {
    throw new Http1HeaderError(`value of ${name}: has characters that a header field cannot carry`);
  }
  const line = `${known.prefix}${value}\r\n`;
  if (value.length <= longestRememberedValue) {
    known.value = value;
    known.line = line;
  }
  return line;
}

const digits = /^\d{1,15}$/;
// The reason phrase that belongs to the status is added, unless another one is given: RFC 9112 section 4.
const interimStatus = /^1(?:0[02-9]|[1-9]\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const finalStatus = /^[2-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** Of final answers, without a reason phrase of their own. */
const statusLines = new Map<string, string>();

function statusLine(field: Http1Field | undefined, opening: number): string {
  const value = field?.name === ':status' ? field.value : '';
  const known = opening === Opening.final ? statusLines.get(value) : undefined;
  if (known !== undefined) return known;
  const expected = opening === Opening.interim ? interimStatus : finalStatus;
  if (!expected.test(value)) {
    throw new Http1HeaderError(`first field: ${field?.name ?? 'none'} (expected: :status matching ${expected.source})`);
  }
  // Whoever has a reason of its own may have many.
  if (value.length > 3) return `HTTP/1.1 ${value}\r\n`;
  const line = `HTTP/1.1 ${value} ${STATUS_CODES[value] ?? ''}\r\n`;
  if (opening === Opening.final) statusLines.set(value, line);
  return line;
}

/** What fields to send come to: RFC 9112 sections 4 and 5. How the body is delimited and what becomes of the connection is not in `text`. */
export class AnswerHead {
  /** Status line and field lines. */
  text = '';
  status = 0;
  contentLength = unknownLength;
  /** They say `connection: close`. */
  isClosing = false;
  /** They say `transfer-encoding: chunked`. */
  isInChunks = false;

  /** @throws Http1HeaderError  HTTP/1.1 cannot carry them */
  set(fields: readonly Http1Field[], opening: number): this {
    this.text = opening === Opening.trailers ? '' : statusLine(fields[0], opening);
    this.status = opening === Opening.trailers ? 0 : Number(fields[0]?.value.slice(0, 3));
    this.contentLength = unknownLength;
    this.isClosing = false;
    this.isInChunks = false;
    return this.add(fields, opening, opening === Opening.trailers ? 0 : 1);
  }

  /** Begins as `base` does. */
  copy(base: AnswerHead): this {
    this.text = base.text;
    this.status = base.status;
    this.contentLength = base.contentLength;
    this.isClosing = base.isClosing;
    this.isInChunks = base.isInChunks;
    return this;
  }

  /** @throws Http1HeaderError  HTTP/1.1 cannot carry them */
  add(fields: readonly Http1Field[], opening: number, from: number): this {
    let { text } = this;
    for (let i = from; i < fields.length; i += 1) {
      const field = fields[i] as Http1Field;
      const known = outgoingName(field.name);
      if (known.kind === Kind.plain) text += lineOf(known, field);
      else text += this.#engineField(known, field);
      if (opening === Opening.trailers && notInTrailers.test(field.name.toLowerCase())) {
        throw new Http1HeaderError(`field name: ${field.name} (expected: one that may stand in trailers)`);
      }
    }
    this.text = text;
    return this;
  }

  #engineField(known: OutgoingName, { name, value }: Http1Field): string {
    const lower = value.toLowerCase();
    if (known.kind === Kind.contentLength) {
      if (!digits.test(value) || (this.contentLength !== unknownLength && this.contentLength !== Number(value))) {
        throw new Http1HeaderError(`content-length: ${value} (expected: one number of bytes)`);
      }
      this.contentLength = Number(value);
    } else if (known.kind === Kind.transferEncoding) {
      if (lower !== 'chunked') throw new Http1HeaderError(`transfer-encoding: ${value} (expected: chunked)`);
      this.isInChunks = true;
    } else if (known.kind === Kind.connection) {
      if (lower === 'close') this.isClosing = true;
      else if (lower !== 'keep-alive') return lineOf(known, { name, value });
    }
    return '';
  }
}

function openingOf(status: number): number {
  if (status === 0) return Opening.trailers;
  return status < 200 ? Opening.interim : Opening.final;
}

const blocks = new WeakMap<Uint8Array, AnswerHead>();
const scratch = new AnswerHead();

/**
 * Checks fields once that are sent many times. What it returns is for the calls of a stream, and must not be changed.
 *
 * @throws Http1HeaderError  HTTP/1.1 cannot carry them
 */
export function precompute(fields: readonly Http1Field[]): Uint8Array {
  const status = fields[0]?.name === ':status' ? Number(fields[0].value.slice(0, 3)) : 0;
  const opening = openingOf(status);
  const head = new AnswerHead().set(fields, opening);
  const block = Buffer.from(head.text, 'latin1');
  blocks.set(block, head);
  return block;
}

/**
 * What `fields` come to. To be used before the next call.
 *
 * @throws Http1HeaderError  HTTP/1.1 cannot carry them
 */
export function answerHead(fields: Http1Fields, opening: number): AnswerHead {
  if (!(fields instanceof Uint8Array)) return scratch.set(fields, opening);
  const known = blocks.get(fields);
  if (known === undefined || openingOf(known.status) !== opening) {
    throw new Http1HeaderError('fields: bytes of unknown origin (expected: what precompute has made for this place)');
  }
  return known;
}

const fixedHeads = new WeakMap<readonly Http1Field[], AnswerHead>();

/**
 * What `fixed`, which is put together once, and `fields` behind it come to. To be used before the next call.
 *
 * @throws Http1HeaderError  HTTP/1.1 cannot carry them
 */
export function answerHeadWith(fixed: readonly Http1Field[], fields: readonly Http1Field[]): AnswerHead {
  let base = fixedHeads.get(fixed);
  if (base === undefined) {
    base = new AnswerHead().set(fixed, Opening.final);
    // In one piece, or it would be put together again for each answer.
    base.text = Buffer.from(base.text, 'latin1').toString('latin1');
    fixedHeads.set(fixed, base);
  }
  return scratch.copy(base).add(fields, Opening.final, 0);
}
