import { Http1OptionError } from './http1.errors.js';

/** What a client may ask of a connection: RFC 9110 section 17, RFC 9112 sections 9.5 and 11. Times are in ms; 0 turns a limit off. */
export interface Http1ConnectionOptions {
  /** Request line and header fields with their line ends, 256 to 1 048 576 bytes. */
  readonly maxHeaderBytes: number;
  /** Header fields, or trailer fields, of a request, 1 to 10 000. */
  readonly maxHeaderFields: number;
  /** Trailer section of a body in chunks, 256 to 1 048 576 bytes. */
  readonly maxTrailerBytes: number;
  /** Chunk extensions of a body, all together, 0 to 1 048 576 bytes. */
  readonly maxChunkExtensionBytes: number;
  /**
   * Body bytes that are read and thrown away after the answer to keep the connection. With more to come, as far as that is known
   * when the answer begins, the answer says `connection: close`; otherwise all of it is read, as many bytes
   * again each second, within `bodyTimeoutMs`.
   */
  readonly maxUnreadBytes: number;
  /** Output that waits for the peer before `write` returns false; as long as so much waits, no further request is begun. */
  readonly writeHighWaterBytes: number;
  /** Requests served on one connection; the last answer says `connection: close`. 0: no limit. */
  readonly maxRequestsPerConnection: number;

  /** Time for the headers, from the first byte of the request. */
  readonly headersTimeoutMs: number;
  /** Time for the body, from the end of the headers; that in which its consumer holds it back does not count. */
  readonly bodyTimeoutMs: number;
  /** Without a request for so long, and a second more, the connection is closed. Answers tell the clients, so that they close it before. */
  readonly keepAliveTimeoutMs: number;
  /** Output that waits and of which the peer takes nothing for so long: the connection is given up. */
  readonly sendStallTimeoutMs: number;
}

const defaults: Http1ConnectionOptions = {
  // As Node's own server.
  maxHeaderBytes: 16_384,
  maxHeaderFields: 256,
  maxTrailerBytes: 16_384,
  maxChunkExtensionBytes: 16_384,
  // What is on its way anyhow with usual socket buffers; to throw away more costs more than a new connection.
  maxUnreadBytes: 262_144,
  writeHighWaterBytes: 65_536,
  maxRequestsPerConnection: 0,

  headersTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  keepAliveTimeoutMs: 5000,
  // What Envoy gives an idle stream.
  sendStallTimeoutMs: 300_000,
};

const largest = 2 ** 31 - 1;

/** Where 0 to 2^31-1 is not the range. */
const ranges: Partial<Record<keyof Http1ConnectionOptions, readonly [least: number, most: number]>> = {
  maxHeaderBytes: [256, 1_048_576],
  maxHeaderFields: [1, 10_000],
  maxTrailerBytes: [256, 1_048_576],
  maxChunkExtensionBytes: [0, 1_048_576],
};

/**
 * The defaults with changes, checked. One result serves all connections of a server.
 *
 * @throws Http1OptionError  a value is out of range
 */
export function http1ConnectionOptions(changes: Partial<Http1ConnectionOptions> = {}): Http1ConnectionOptions {
  const options: Http1ConnectionOptions = { ...defaults, ...changes };
  for (const name of Object.keys(defaults) as (keyof Http1ConnectionOptions)[]) {
    const value = options[name];
    const [least, most] = ranges[name] ?? [0, largest];
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new Http1OptionError(`${name}: ${value} (expected: integer, ${least} to ${most})`);
  }
  return options;
}

// The same for all connections with the same options.
const keepAliveLines = new WeakMap<Http1ConnectionOptions, string>();

/** The last lines of a response head after which the connection stays open. */
export function keepAliveLinesOf(options: Http1ConnectionOptions): string {
  let lines = keepAliveLines.get(options);
  if (lines === undefined) {
    const seconds = Math.floor(options.keepAliveTimeoutMs / 1000);
    lines = `connection: keep-alive\r\n${seconds > 0 ? `keep-alive: timeout=${seconds}\r\n` : ''}\r\n`;
    keepAliveLines.set(options, lines);
  }
  return lines;
}
