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
  /** Address and port of the other end. */
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

/** What the handle needs of the call behind it. */
export interface CallBase {
  readonly context: RequestContext;
  readonly head: RequestHead;
  readonly stream: ServerStream;
  sendHeaders(metadata: Metadata | undefined): void;
}

/** The one implementation; everything that costs is made when asked for. */
export class CallHandle implements RpcCall {
  request: unknown;
  readonly #base: CallBase;
  #metadata: Metadata | undefined;
  #trailers: Metadata | undefined;
  #listeners: Map<() => void, () => void> | undefined;

  constructor(base: CallBase) {
    this.#base = base;
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.fromHeaders(this.#base.head.headers);
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
    return this.#base.context.signal;
  }

  get cancelled(): boolean {
    return this.#base.context.deadline.reason !== undefined;
  }

  getPath(): string {
    return this.#base.head.path;
  }

  getPeer(): string {
    const { peerAddress, peerPort } = this.#base.stream;
    return peerAddress.includes(':') ? `[${peerAddress}]:${peerPort}` : `${peerAddress}:${peerPort}`;
  }

  getDeadline(): Date | number {
    const { deadline } = this.#base.context;
    if (deadline.atMs === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return new Date(performance.timeOrigin + deadline.atMs);
  }

  sendMetadata(metadata: Metadata): void {
    this.#base.sendHeaders(metadata);
  }

  on(event: CallEvent, listener: () => void): this {
    if (event !== 'cancelled') return this;
    this.#listeners ??= new Map();
    this.#listeners.set(listener, this.#base.context.deadline.onFire(listener));
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
