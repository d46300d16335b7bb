import { isPrintable, trimOws } from '../core/index.js';
import type { Http2Headers } from '../http2/index.js';
import { MalformedMetadataError } from './grpc.errors.js';
import type { OutgoingFields } from './server-stream.js';

/** A value of a metadata entry: bytes where the key ends in `-bin`, else printable ASCII. */
export type MetadataValue = string | Buffer;

const keyPattern = /^[0-9a-z_.-]+$/;
const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;
const unpaddedPattern = /^[A-Za-z0-9+/]*$/;

// A header of commas has as many empty values: one for all, as a Buffer takes 100 bytes.
const empty = Buffer.alloc(0);

// What HTTP/2 and the protocol itself use; grpc-* is theirs too.
const reserved = new Set([
  'te',
  'content-type',
  'content-length',
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

function isReserved(key: string): boolean {
  return key.startsWith(':') || key.startsWith('grpc-') || reserved.has(key);
}

function normalize(key: string): string {
  const name = key.toLowerCase();
  if (!keyPattern.test(name))
    throw new Error(`metadata key: ${JSON.stringify(key)} (expected: letters, digits, _ . -)`);
  return name;
}

function check(key: string, value: MetadataValue): void {
  const isBinary = key.endsWith('-bin');
  if (isBinary !== Buffer.isBuffer(value)) {
    throw new Error(`metadata value of ${key}: ${typeof value} (expected: ${isBinary ? 'a Buffer' : 'a string'})`);
  }
  if (!isBinary && !isPrintable(value as string)) throw new Error(`metadata value of ${key}: not printable ASCII`);
}

/**
 * The metadata of a call: lower-case keys, each with one or more values; keys that end in `-bin` have bytes.
 * It has the usual methods of the class of that name in other gRPC libraries for Node.
 */
export class Metadata {
  #headers: Http2Headers | undefined;
  #entries: Map<string, MetadataValue[]> | undefined;

  /**
   * The metadata among the headers of a request. Nothing is read until somebody asks, who then gets a
   * `MalformedMetadataError` where a value is not what its name says.
   */
  static fromHeaders(headers: Http2Headers): Metadata {
    const metadata = new Metadata();
    metadata.#headers = headers;
    return metadata;
  }

  /** Replaces the values of `key`. */
  set(key: string, value: MetadataValue): void {
    const name = normalize(key);
    check(name, value);
    this.#map().set(name, [value]);
  }

  /** Adds a value to those of `key`. */
  add(key: string, value: MetadataValue): void {
    const name = normalize(key);
    check(name, value);
    const values = this.#map().get(name);
    if (values === undefined) this.#map().set(name, [value]);
    else values.push(value);
  }

  /** Removes all values of `key`. */
  remove(key: string): void {
    this.#map().delete(normalize(key));
  }

  /** All values of `key`; empty when there is none. */
  get(key: string): MetadataValue[] {
    return [...(this.#map().get(key.toLowerCase()) ?? [])];
  }

  /** The first value of each key. */
  getMap(): Record<string, MetadataValue> {
    const map: Record<string, MetadataValue> = {};
    for (const [key, [first]] of this.#map()) if (first !== undefined) map[key] = first;
    return map;
  }

  clone(): Metadata {
    const copy = new Metadata();
    copy.merge(this);
    return copy;
  }

  /** Adds all values of `other`. */
  merge(other: Metadata): void {
    for (const [key, values] of other.#map()) {
      this.#map().set(key, [...(this.#map().get(key) ?? []), ...values]);
    }
  }

  toJSON(): Record<string, MetadataValue[]> {
    return Object.fromEntries([...this.#map()].map(([key, values]) => [key, [...values]]));
  }

  /**
   * Appends the entries to `fields`; binary values as base64 without padding, text without the white space at its ends,
   * which HTTP/2 cannot carry. Reserved names, and those that are there, are left out.
   */
  writeTo(fields: OutgoingFields): void {
    const own = fields.length;
    for (const [name, values] of this.#map()) {
      if (isReserved(name) || isAmong(fields, own, name)) continue;
      for (const value of values)
        fields.push({ name, value: typeof value === 'string' ? trimOws(value) : encodeBinary(value) });
    }
  }

  #map(): Map<string, MetadataValue[]> {
    if (this.#entries === undefined) {
      this.#entries = new Map();
      for (const [name, value] of this.#headers ?? []) {
        if (isReserved(name) || !isEntry(name, value)) continue;
        const values = this.#entries.get(name);
        if (values === undefined) this.#entries.set(name, parse(name, value));
        else values.push(...parse(name, value));
      }
      this.#headers = undefined;
    }
    return this.#entries;
  }
}

// Entries that HTTP can carry and metadata cannot are dropped without an error, so that a handler can send back what it
// received: https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-HTTP2.md, on ASCII-Value
function isEntry(name: string, value: string): boolean {
  return keyPattern.test(name) && (name.endsWith('-bin') || isPrintable(value));
}

function isAmong(fields: OutgoingFields, count: number, name: string): boolean {
  for (let i = 0; i < count; i += 1) if (fields[i]?.name === name) return true;
  return false;
}

function parse(key: string, value: string): MetadataValue[] {
  if (!key.endsWith('-bin')) return [value];
  // Binary values may be joined by commas, which base64 does not have.
  return value.split(',').map((encoded) => decodeBinary(key, trimOws(encoded)));
}

// Base64 with padding or without, as the protocol demands, and nothing else that Node would read as well.
function decodeBinary(key: string, encoded: string): Buffer {
  const isWhole = encoded.length % 4 === 0 ? base64Pattern.test(encoded) : unpaddedPattern.test(encoded);
  if (!isWhole || encoded.length % 4 === 1) throw new MalformedMetadataError(key);
  return encoded === '' ? empty : Buffer.from(encoded, 'base64');
}

/** Base64 without padding, as the protocol asks of a sender. */
export function encodeBinary(bytes: Uint8Array): string {
  const encoded = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const padding = encoded.indexOf('=');
  return padding < 0 ? encoded : encoded.slice(0, padding);
}
