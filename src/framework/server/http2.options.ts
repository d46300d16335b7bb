import { Type } from 'class-transformer';
import { IsDefined, IsInt, Max, Min, ValidateNested } from 'class-validator';

/**
 * How often an HTTP/2 connection may do what costs the service more than the client; more ends it with ENHANCE_YOUR_CALM.
 * The section `server.http2.rates` of the configuration.
 */
export class Http2RateOptions {
  /** At once: streams that the client breaks off, or makes us break off (CVE-2023-44487, CVE-2025-8671); one more for each that is answered. */
  @IsInt()
  @Min(1)
  readonly resetBurst: number = 1000;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly resetsPerSecond: number = 33;

  /** At once: SETTINGS frames. */
  @IsInt()
  @Min(1)
  readonly settingsBurst: number = 50;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly settingsPerSecond: number = 5;

  /** At once: PING frames; one more for each answer or stream of ours. */
  @IsInt()
  @Min(1)
  readonly pingBurst: number = 100;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly pingsPerSecond: number = 10;

  /** At once: WINDOW_UPDATE frames; ten more for each answer or stream of ours. */
  @IsInt()
  @Min(1)
  readonly windowUpdateBurst: number = 2000;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly windowUpdatesPerSecond: number = 1000;

  /** At once: PRIORITY frames; ten more for each stream. */
  @IsInt()
  @Min(1)
  readonly priorityBurst: number = 1000;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly prioritiesPerSecond: number = 100;

  /** At once: DATA frames that carry nothing. */
  @IsInt()
  @Min(1)
  readonly emptyDataBurst: number = 100;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly emptyDataPerSecond: number = 10;

  /** At once: DATA frames with more padding than data; ten more for each answer or stream of ours. */
  @IsInt()
  @Min(1)
  readonly paddingBurst: number = 1000;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly paddingsPerSecond: number = 100;

  /** At once: frames of unknown types. */
  @IsInt()
  @Min(1)
  readonly unknownFrameBurst: number = 1000;

  /** The same in each second, in the long run. */
  @IsInt()
  @Min(0)
  readonly unknownFramesPerSecond: number = 100;
}

/**
 * HTTP/2 connections; the section `server.http2` of the configuration. A change holds for connections made after it. Times
 * are in ms, and 0 turns a time limit off.
 */
export class Http2Options {
  /** Requests that one connection may have open at a time; the client keeps further ones back. */
  @IsInt()
  @Min(1)
  @Max(100_000)
  readonly maxConcurrentStreams: number = 250;

  /** Request bytes a client may send ahead on one stream before the handler reads, in bytes. */
  @IsInt()
  @Min(65_535)
  @Max(16_777_216)
  readonly streamWindowBytes: number = 262_144;

  /** Request bytes of all streams of a connection that may be on their way at a time, in bytes. */
  @IsInt()
  @Min(65_535)
  @Max(268_435_456)
  readonly connectionWindowBytes: number = 1_048_576;

  /**
   * Request bytes of all streams of a connection that may wait for slow handlers before they count against
   * `connectionWindowBytes`, and so hold up the other streams; in bytes.
   */
  @IsInt()
  @Min(0)
  @Max(268_435_456)
  readonly maxWaitingBytes: number = 4_194_304;

  /** Longest frame that a client may send, in bytes. */
  @IsInt()
  @Min(16_384)
  @Max(16_777_215)
  readonly maxFrameBytes: number = 16_384;

  /** Memory of one connection for header fields that repeat, in bytes. */
  @IsInt()
  @Min(4096)
  @Max(1_048_576)
  readonly headerTableBytes: number = 4096;

  /** CONTINUATION frames of one header block; more end the connection. */
  @IsInt()
  @Min(0)
  @Max(1000)
  readonly maxContinuations: number = 16;

  /** Answer bytes of one stream that may wait for the client before the handler is held back, in bytes. */
  @IsInt()
  @Min(16_384)
  @Max(16_777_216)
  readonly writeHighWaterBytes: number = 65_536;

  /** Answer bytes that a connection may have waiting for the network; beyond, nothing more is read of it, in bytes. */
  @IsInt()
  @Min(16_384)
  @Max(16_777_216)
  readonly maxSocketBacklogBytes: number = 262_144;

  /** Time a client has to acknowledge our SETTINGS, in ms. */
  @IsInt()
  @Min(0)
  readonly settingsTimeoutMs: number = 10_000;

  /** A connection without an open stream is closed after this time, in ms. */
  @IsInt()
  @Min(0)
  readonly idleTimeoutMs: number = 300_000;

  /** A connection is closed gracefully when it is so old, give or take a tenth, so that load spreads; in ms. 0: never. */
  @IsInt()
  @Min(0)
  readonly maxConnectionAgeMs: number = 0;

  /** Time that requests have which are open then, in ms. */
  @IsInt()
  @Min(0)
  readonly maxConnectionAgeGraceMs: number = 30_000;

  /** A connection from which nothing has come for so long is asked by PING whether it lives, in ms. */
  @IsInt()
  @Min(0)
  readonly keepaliveIntervalMs: number = 60_000;

  /** Time for its answer, in ms. */
  @IsInt()
  @Min(0)
  readonly keepaliveTimeoutMs: number = 20_000;

  /**
   * Where nothing is sent, a client may ask by PING this often, in ms; who asks sooner three times in a row is cut off, which
   * gRPC clients are told as `too_many_pings`. 0: `rates` alone counts.
   */
  @IsInt()
  @Min(0)
  readonly minPingIntervalMs: number = 0;

  /** An answer of which the client has taken nothing for so long is given up, in ms. */
  @IsInt()
  @Min(0)
  readonly sendStallTimeoutMs: number = 300_000;

  /** How often a client may do what costs the service more than itself. */
  @IsDefined()
  @ValidateNested()
  @Type(() => Http2RateOptions)
  readonly rates: Http2RateOptions = new Http2RateOptions();
}
