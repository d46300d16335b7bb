import type { RequestContext } from '../core/index.js';
import { Metadata } from './metadata.js';
import type { RequestHead, ServerStream } from './server-stream.js';

/** The events of a call. */
export type CallEvent = 'cancelled';

/**
 * What a handler can see of its call and do to it, beside taking messages and returning them: the third argument of
 * Nest's gRPC handlers, and the parameter decorated with `@Call()`.
 */
export interface RpcCall {
  /** What the caller sent along. */
  readonly metadata: Metadata;
  /** Sent with the status at the end of the call; add to it as long as the call runs. */
  readonly trailers: Metadata;
  /** The request message of a unary or server-streaming call. */
  readonly request: unknown;
  /** Fires when the deadline passes or the caller goes away. */
  readonly signal: AbortSignal;
  /** True from the moment `signal` fires. */
  readonly cancelled: boolean;
  /** Such as `/user.service.v1.UserService/GetUser`. */
  getPath(): string;
  /** Address and port of the peer, such as `192.0.2.1:4711` or `[2001:db8::1]:4711`; no port where a proxy does not tell it. */
  getPeer(): string;
  /** When the deadline passes; `Infinity` for never. */
  getDeadline(): Date | number;
  /** Sends the response headers now, with `metadata`. A second call does nothing. */
  sendMetadata(metadata: Metadata): void;
  /** `cancelled` comes once, with `signal`. */
  on(event: CallEvent, listener: () => void): this;
  once(event: CallEvent, listener: () => void): this;
  off(event: CallEvent, listener: () => void): this;
  addListener(event: CallEvent, listener: () => void): this;
  removeListener(event: CallEvent, listener: () => void): this;
}

/** The part of a call that handlers see; everything that costs is made when asked for. */
export abstract class CallHandle implements RpcCall {
  request: unknown = undefined;
  readonly context: RequestContext;
  readonly head: RequestHead;
  readonly stream: ServerStream;
  #metadata: Metadata | undefined;
  #trailers: Metadata | undefined;
  #listeners: Map<() => void, () => void> | undefined;

  constructor(stream: ServerStream, head: RequestHead, context: RequestContext) {
    this.stream = stream;
    this.head = head;
    this.context = context;
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.fromHeaders(this.head.headers);
    return this.#metadata;
  }

  get trailers(): Metadata {
    this.#trailers ??= new Metadata();
    return this.#trailers;
  }

  /** The trailers, if anybody touched them. */
  get trailersIfAny(): Metadata | undefined {
    return this.#trailers;
  }

  /** Takes back all that was added to the trailers. */
  dropTrailers(): void {
    this.#trailers = undefined;
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  get cancelled(): boolean {
    return this.context.deadline.reason !== undefined;
  }

  getPath(): string {
    return this.head.path;
  }

  getPeer(): string {
    const { address, port } = this.stream.peer;
    const host = address.includes(':') ? `[${address}]` : address;
    return port === 0 ? host : `${host}:${port}`;
  }

  getDeadline(): Date | number {
    const { deadline } = this.context;
    if (deadline.atMs === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return new Date(performance.timeOrigin + deadline.atMs);
  }

  abstract sendMetadata(metadata: Metadata): void;

  on(event: CallEvent, listener: () => void): this {
    if (event !== 'cancelled') return this;
    this.#listeners ??= new Map();
    this.#listeners.set(listener, this.context.deadline.onFire(listener));
    return this;
  }

  off(event: CallEvent, listener: () => void): this {
    if (event !== 'cancelled') return this;
    this.#listeners?.get(listener)?.();
    this.#listeners?.delete(listener);
    return this;
  }

  once(event: CallEvent, listener: () => void): this {
    return this.on(event, listener);
  }

  addListener(event: CallEvent, listener: () => void): this {
    return this.on(event, listener);
  }

  removeListener(event: CallEvent, listener: () => void): this {
    return this.off(event, listener);
  }
}
