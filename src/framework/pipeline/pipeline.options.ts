import { IsInt, IsNumber, Max, Min } from 'class-validator';
import { ConfigPrefix } from '../core/index.js';

/** The most that `server.limits.maxHeaderBytes` can be. */
export const maxHeaderBytesBound = 1_048_576;

/** Limits that hold on every face; the section `server.limits` of the configuration. */
@ConfigPrefix('server.limits')
export class LimitOptions {
  /** Largest request body on HTTP and largest message on gRPC, in bytes. */
  @IsInt()
  @Min(1)
  @Max(2 ** 31 - 1)
  readonly maxBodyBytes: number = 1_048_576;

  /**
   * List items, map entries, nested messages and unknown fields that one request message may have. A message or JSON body
   * with more is refused with RESOURCE_EXHAUSTED / 413 as soon as the first too many is read. On gRPC they are weighed:
   * an element is 64 bytes of memory, such as a nested message of five fields or five numbers of a list. In JSON each
   * member of one object beyond the 1024th counts as ten.
   */
  @IsInt()
  @Min(1)
  @Max(2 ** 24)
  readonly maxMessageElements: number = 100_000;

  /** Levels of nesting that one request message or JSON body may have, the outermost counted. */
  @IsInt()
  @Min(1)
  @Max(1000)
  readonly maxMessageDepth: number = 100;

  /** Largest request header block, in bytes. A change holds for connections that come from then on. */
  @IsInt()
  @Min(1024)
  @Max(maxHeaderBytesBound)
  readonly maxHeaderBytes: number = 16_384;

  /**
   * Header fields, or trailer fields, of a request. Of the fields of HTTP/2, 32 bytes besides name and value count towards
   * `maxHeaderBytes`. A change holds for connections that come from then on.
   */
  @IsInt()
  @Min(1)
  @Max(10_000)
  readonly maxHeaderFields: number = 256;

  /** Parameters that the query of a request may have. */
  @IsInt()
  @Min(1)
  @Max(maxHeaderBytesBound)
  readonly maxQueryParameters: number = 1000;

  /**
   * Unary requests worked on at a time, REST and gRPC together; one more is refused with UNAVAILABLE / 503. A request
   * counts from the moment that all of it has come to the moment that its response is given.
   */
  @IsInt()
  @Min(1)
  readonly maxConcurrentRequests: number = 10_000;

  /** Streaming calls, and responses written in parts, at a time; one more is refused with UNAVAILABLE / 503. */
  @IsInt()
  @Min(1)
  readonly maxConcurrentStreams: number = 10_000;

  /**
   * Requests that wait for their clients at a time, for the rest of the body or for the response to be read; while there
   * are as many, further requests are refused with UNAVAILABLE / 503.
   */
  @IsInt()
  @Min(1)
  readonly maxWaitingRequests: number = 10_000;

  /**
   * Memory for bodies that are not whole, for requests that are not read yet and for responses that wait for their clients,
   * in bytes; while it is full, further requests are refused with UNAVAILABLE / 503.
   */
  @IsInt()
  @Min(1_048_576)
  @Max(2 ** 40)
  readonly maxBufferedBytes: number = 268_435_456;

  /**
   * Part of each bound (requests, streams, waiting requests, buffered bytes, connections) that one peer may take while no
   * other peer takes any, above 0 to 1; it gets less the more others take. An eighth of each bound is kept back for peers
   * that use less than a 64th of it. A peer is an IPv4 address or the first 64 bits of an IPv6 address. Beyond its part it
   * is refused with RESOURCE_EXHAUSTED / 429. 1: no bound of its own. A bound below 8 is not divided.
   */
  @IsNumber({ maxDecimalPlaces: 3 })
  @Min(0.01)
  @Max(1)
  readonly peerShare: number = 0.5;

  /** The same for one connection, as a part of what its peer may take. */
  @IsNumber({ maxDecimalPlaces: 3 })
  @Min(0.01)
  @Max(1)
  readonly connectionShare: number = 0.75;

  /** Time a new connection has to send its first bytes, in ms. */
  @IsInt()
  @Min(100)
  readonly firstByteTimeoutMs: number = 10_000;

  /** Time a request has to send its headers, in ms. A change holds for connections that come from then on. */
  @IsInt()
  @Min(100)
  readonly headersTimeoutMs: number = 10_000;

  /** Time a request has to send its body, in ms. On HTTP/1.1 a change holds for connections that come from then on. */
  @IsInt()
  @Min(100)
  readonly bodyTimeoutMs: number = 30_000;

  /** Time limit of a request for which neither the caller nor the route says one, in ms. */
  @IsInt()
  @Min(1)
  readonly requestTimeoutMs: number = 30_000;

  /** The same for streaming calls, in ms. */
  @IsInt()
  @Min(1)
  readonly streamTimeoutMs: number = 3_600_000;

  /** The longest limit a caller can ask for, in ms. */
  @IsInt()
  @Min(1)
  readonly maxTimeoutMs: number = 86_400_000;
}

/** What `@Input()` makes of a message with fields that its type does not have; `grpc.unknownFields`. */
export interface MessagePolicy {
  readonly unknownFields: 'refuse' | 'ignore';
}

/** Token of the present `MessagePolicy`, as `Live<MessagePolicy>`; where nothing is provided, they are refused. */
export const MESSAGE_POLICY: unique symbol = Symbol('MESSAGE_POLICY');

/** Token of the present `LimitOptions`, as `Live<LimitOptions>`. */
export const LIMIT_OPTIONS: unique symbol = Symbol('LIMIT_OPTIONS');
