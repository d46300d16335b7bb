import { Duplex } from 'node:stream';
import { runInContext } from '../core/index.js';
import { Metadata } from './metadata.js';
import type { ServerCall } from './server-call.js';

/** Nest's callback of a client-streaming `@GrpcStreamCall`. */
export type AnswerCallback = (error: unknown, value?: unknown, trailers?: Metadata) => void;

/**
 * The call as `@GrpcStreamCall` handlers know it: a Node stream of messages. Read it, write to it, `end()` it;
 * `emit('error', error)` or `destroy(error)` ends the call with the error's status.
 */
export class DuplexCall extends Duplex {
  readonly #call: ServerCall;

  constructor(call: ServerCall) {
    // One message each way: backpressure is the HTTP/2 stream's, not a second buffer's.
    super({ objectMode: true, highWaterMark: 1, emitClose: true });
    this.#call = call;
    call.context.deadline.onFire(() => this.#cancel());
    call.onRelease(() => this.destroy());
    this.on('error', (error) => call.fail(error));
  }

  get metadata(): Metadata {
    return this.#call.handle.metadata;
  }

  get signal(): AbortSignal {
    return this.#call.handle.signal;
  }

  get cancelled(): boolean {
    return this.#call.handle.cancelled;
  }

  getPath(): string {
    return this.#call.handle.getPath();
  }

  getPeer(): string {
    return this.#call.handle.getPeer();
  }

  getDeadline(): Date | number {
    return this.#call.handle.getDeadline();
  }

  sendMetadata(metadata: Metadata): void {
    this.#call.sendHeaders(metadata);
  }

  /** A listener that throws ends the call, not the process: nobody else would hear of it. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'error') return super.emit(event, ...args);
    try {
      return super.emit(event, ...args);
    } catch (error) {
      this.#call.fail(error);
      this.destroy();
      return true;
    }
  }

  /** As in grpc-js, `end` takes the trailing metadata. */
  override end(...args: unknown[]): this {
    const [first] = args;
    if (first instanceof Metadata) {
      this.#call.handle.trailers.merge(first);
      return super.end();
    }
    return super.end(...(args as []));
  }

  override _read(): void {
    this.#call.nextRequest().then(
      (result) => runInContext(this.#call.context, () => this.push(result.done === true ? null : result.value)),
      (error: unknown) => {
        if (!this.#call.isEnded) this.destroy(error as Error);
      },
    );
  }

  override _write(message: unknown, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    void this.#send(message, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#call.complete();
    done();
  }

  async #send(message: unknown, done: (error?: Error | null) => void): Promise<void> {
    try {
      this.#call.write(message);
      await this.#call.drained();
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  #cancel(): void {
    if (this.destroyed || this.writableFinished) return;
    runInContext(this.#call.context, () => {
      this.emit('cancelled', 'cancelled');
      this.destroy();
    });
  }
}

/** The callback that answers a client-streaming `@GrpcStreamCall`. */
export function answerCallback(call: ServerCall): AnswerCallback {
  return (error, value, trailers) => {
    if (error !== null && error !== undefined) {
      call.fail(error);
      return;
    }
    if (trailers instanceof Metadata) call.handle.trailers.merge(trailers);
    call.answer(value);
  };
}
