import { defaultMaxFrameBytes, defaultWindowBytes, largestFrameBytes, largestWindowBytes } from './frame.js';
import { Http2OptionError } from './http2.errors.js';

/** How often something may happen: `burst` at once, and `perSecond` in the long run. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
  /** More of them for each stream opened and each HEADERS or DATA frame that we send; 0 if not given. */
  readonly perProgress?: number;
  /** More of them for each request that came to its end both ways; 0 if not given. */
  readonly perAnswer?: number;
}

/** What a client may ask of a connection: RFC 9113 sections 6.5.2 and 10.5. Times are in ms; 0 turns a time limit off. */
export interface Http2ConnectionOptions {
  /** SETTINGS_MAX_CONCURRENT_STREAMS; streams beyond are refused. */
  readonly maxConcurrentStreams: number;
  /** Receive window of each stream, 65 535 to 2^31-1. */
  readonly streamWindowBytes: number;
  /** Receive window of the connection, 65 535 to 2^31-1. */
  readonly connectionWindowBytes: number;
  /**
   * Bytes of all streams that their consumers have not taken yet, up to which the connection's window is opened again all
   * the same: so streams that are slow, each as far as its own window goes, do not hold up the others.
   */
  readonly maxWaitingBytes: number;
  /** Longest frame accepted, 16 384 to 2^24-1. */
  readonly maxFrameBytes: number;
  /** Table of the HPACK decoder, at least 4096. */
  readonly headerTableBytes: number;
  /** Names, values and 32 for each field of a header or trailer block; a request beyond is refused, with 431 unless the handler says otherwise. */
  readonly maxHeaderListBytes: number;
  /** Fields of a header or trailer block, pseudo-headers not counted, 1 to 10 000; a request beyond is refused as above. */
  readonly maxHeaderFields: number;
  /**
   * SETTINGS_MAX_HEADER_LIST_SIZE: fields of a request that is refused are read up to here, so that the answer can fit
   * the request. Clients that heed it do not even send more, and have no answer.
   */
  readonly maxReadHeaderListBytes: number;
  /** Compressed bytes of a block of several frames. */
  readonly maxHeaderBlockBytes: number;
  /** CONTINUATION frames of a block. */
  readonly maxContinuations: number;
  /** Output of a stream that waits for the peer before `write` returns false. */
  readonly writeHighWaterBytes: number;
  /** Output that the socket does not take; beyond, nothing is read until it does. */
  readonly maxSocketBacklogBytes: number;

  /**
   * RST_STREAM of the peer for streams that are not over, and errors of single streams (CVE-2023-44487, CVE-2025-8671).
   * A proxy whose users go away now and then is no attacker: requests that are answered earn what it may break off.
   */
  readonly resetRate: Rate;
  readonly settingsRate: Rate;
  readonly pingRate: Rate;
  /**
   * A connection on which nothing is sent may ask for signs of life so often; who asks sooner three times in a row is cut
   * off with `too_many_pings`, as by other gRPC servers, whose limit is 5 minutes. 0: `pingRate` alone counts.
   */
  readonly minPingIntervalMs: number;
  readonly windowUpdateRate: Rate;
  readonly priorityRate: Rate;
  /** DATA frames without data that do not end the stream. */
  readonly emptyDataRate: Rate;
  /** DATA frames with more padding than data. */
  readonly paddingRate: Rate;
  /** Frames of types that we do not know. */
  readonly unknownFrameRate: Rate;

  /** Time for the preface and the first SETTINGS. */
  readonly handshakeTimeoutMs: number;
  /** Time for the acknowledgement of our SETTINGS. */
  readonly settingsTimeoutMs: number;
  /** Time for a header block, from its first byte to its last. */
  readonly headerTimeoutMs: number;
  /** Without a stream for so long, the connection is closed gracefully. */
  readonly idleTimeoutMs: number;
  /** So old, give or take a tenth, a connection is closed gracefully. */
  readonly maxAgeMs: number;
  /** Time for the streams that are open then. */
  readonly maxAgeGraceMs: number;
  /** A PING is sent when nothing has come for so long. */
  readonly keepaliveIntervalMs: number;
  /** Time for its answer. */
  readonly keepaliveTimeoutMs: number;
  /** A stream, or the socket, that has output and for so long is not allowed to send any of it is given up. */
  readonly sendStallTimeoutMs: number;
}

const defaults: Http2ConnectionOptions = {
  maxConcurrentStreams: 256,
  // A round trip of 20 ms carries 100 Mbit/s over one stream.
  streamWindowBytes: 262_144,
  connectionWindowBytes: 1_048_576,
  maxWaitingBytes: 4_194_304,
  maxFrameBytes: defaultMaxFrameBytes,
  headerTableBytes: 4096,
  maxHeaderListBytes: 16_384,
  maxHeaderFields: 256,
  maxReadHeaderListBytes: 16_384,
  maxHeaderBlockBytes: 32_768,
  maxContinuations: 16,
  writeHighWaterBytes: 65_536,
  maxSocketBacklogBytes: 262_144,

  // 1000 and 33 are what nghttp2 1.57 chose against rapid reset, and that half of all streams may be reset what Envoy 1.28 did.
  resetRate: { burst: 1000, perSecond: 33, perAnswer: 1 },
  settingsRate: { burst: 50, perSecond: 5 },
  // gRPC clients that estimate the bandwidth send one PING for each burst of data they get.
  pingRate: { burst: 100, perSecond: 10, perProgress: 1 },
  minPingIntervalMs: 0,
  // Clients with small windows send two updates for each DATA frame, and some one for each stream.
  windowUpdateRate: { burst: 2000, perSecond: 1000, perProgress: 10 },
  priorityRate: { burst: 1000, perSecond: 100, perProgress: 10 },
  emptyDataRate: { burst: 100, perSecond: 10 },
  paddingRate: { burst: 1000, perSecond: 100, perProgress: 10 },
  unknownFrameRate: { burst: 1000, perSecond: 100 },

  handshakeTimeoutMs: 10_000,
  settingsTimeoutMs: 10_000,
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  maxAgeMs: 0,
  maxAgeGraceMs: 30_000,
  keepaliveIntervalMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  // What Envoy gives an idle stream.
  sendStallTimeoutMs: 300_000,
};

/** Where 0 to 2^31-1 is not the range. */
const ranges: Partial<Record<keyof Http2ConnectionOptions, readonly [least: number, most: number]>> = {
  streamWindowBytes: [defaultWindowBytes, largestWindowBytes],
  connectionWindowBytes: [defaultWindowBytes, largestWindowBytes],
  maxFrameBytes: [defaultMaxFrameBytes, largestFrameBytes],
  headerTableBytes: [4096, 1_048_576],
  maxHeaderListBytes: [1024, 16_777_216],
  maxHeaderFields: [1, 10_000],
  maxReadHeaderListBytes: [1024, 16_777_216],
  maxHeaderBlockBytes: [1024, 16_777_216],
};

/**
 * The defaults with changes, checked. One result serves all connections of a server.
 *
 * @throws Http2OptionError  a value is out of range
 */
export function http2ConnectionOptions(changes: Partial<Http2ConnectionOptions> = {}): Http2ConnectionOptions {
  const options: Http2ConnectionOptions = { ...defaults, ...changes };
  for (const name of Object.keys(defaults) as (keyof Http2ConnectionOptions)[]) {
    const value = options[name];
    const [least, most] = ranges[name] ?? [0, largestWindowBytes];
    for (const each of typeof value === 'number' ? [value] : Object.values(value))
      check(name, Number(each), least, most);
  }
  return options;
}

function check(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new Http2OptionError(`${name}: ${value} (expected: integer, ${least} to ${most})`);
}
