import { EventEmitter, once } from 'node:events';
import { Injectable } from '@nestjs/common';

/** What the trial handlers let tests see and decide, so that the order of events is nobody's luck. */
@Injectable()
export class TrialState {
  readonly #events = new EventEmitter().setMaxListeners(0);
  #gate = Promise.withResolvers<void>();
  /** Messages that `Produce` has made since the last `reset()`. */
  produced = 0;
  /** Messages that `Consume` and `Echo` have taken. */
  consumed = 0;
  /** How handlers that were broken off ended: the name of the signal's reason. */
  readonly aborted: string[] = [];

  /** A handler has begun to wait, or noticed its end. */
  tell(event: string): void {
    this.#events.emit(event);
  }

  /** Resolves at the next `tell()` of that event. */
  async told(event: string): Promise<void> {
    await once(this.#events, event);
  }

  /** What handlers wait for that are told to. */
  get gate(): Promise<void> {
    return this.#gate.promise;
  }

  open(): void {
    this.#gate.resolve();
  }

  noteAbort(signal: AbortSignal): void {
    signal.addEventListener(
      'abort',
      () => {
        this.aborted.push((signal.reason as Error).name);
        this.tell('aborted');
      },
      { once: true },
    );
  }

  reset(): void {
    this.#gate = Promise.withResolvers<void>();
    this.produced = 0;
    this.consumed = 0;
    this.aborted.length = 0;
  }
}
