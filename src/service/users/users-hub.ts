import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Lifecycle } from 'rookery/core';
import { SubscriberQueue } from '../fanout/index.js';
import type { StoredUser } from './user.js';

/** A change that has been committed. */
export interface UserEvent {
  readonly kind: 'upserted' | 'deleted';
  /** The user after the change; before it, for a removal. */
  readonly user: StoredUser;
}

// A watcher that is this far behind does not catch up; at some 200 bytes each it is a fifth of a megabyte.
const maxWaitingEvents = 1024;

/** Tells watchers of this process what changes in it. */
@Injectable()
export class UsersHub implements OnModuleDestroy {
  readonly #queues = new Set<SubscriberQueue<UserEvent>>();
  readonly #drain: AbortSignal;
  // A watch has no end of its own: it must not hold up the stop of the process.
  readonly #onDrain = (): void => {
    for (const queue of this.#queues) queue.close();
  };

  constructor(lifecycle: Lifecycle) {
    this.#drain = lifecycle.drainSignal;
    this.#drain.addEventListener('abort', this.#onDrain, { once: true });
  }

  /** Watchers there are. */
  get size(): number {
    return this.#queues.size;
  }

  publish(event: UserEvent): void {
    for (const queue of this.#queues) queue.push(event);
  }

  /** Opens a queue of what changes from now on; give it back by `leave`. It ends when the process drains. */
  watch(): SubscriberQueue<UserEvent> {
    const queue = new SubscriberQueue<UserEvent>(maxWaitingEvents);
    this.#queues.add(queue);
    if (this.#drain.aborted) queue.close();
    return queue;
  }

  leave(queue: SubscriberQueue<UserEvent>): void {
    queue.close();
    this.#queues.delete(queue);
  }

  onModuleDestroy(): void {
    this.#drain.removeEventListener('abort', this.#onDrain);
  }
}
