import { describe, expect, it, vi } from 'vitest';
import { type Delivery, SubscriberQueue } from './subscriber-queue.js';

async function all<T>(queue: AsyncIterable<Delivery<T>>): Promise<Delivery<T>[]> {
  const deliveries: Delivery<T>[] = [];
  for await (const delivery of queue) deliveries.push(delivery);
  return deliveries;
}

describe('SubscriberQueue', () => {
  it('delivers in order what came before and while it was read', async () => {
    const queue = new SubscriberQueue<number>(10);
    queue.push(1);

    const reading = all(queue);
    queue.push(2);
    await Promise.resolve();
    queue.push(3);
    queue.close();
    queue.push(4);

    expect(await reading).toEqual([1, 2, 3].map((value) => ({ value, missed: 0 })));
  });

  it('drops the oldest when it is full, and says once how many', async () => {
    const queue = new SubscriberQueue<number>(2);
    for (const value of [1, 2, 3, 4, 5]) queue.push(value);
    queue.close();

    expect(queue.size).toBe(2);
    expect(await all(queue)).toEqual([
      { value: 4, missed: 3 },
      { value: 5, missed: 0 },
    ]);
  });

  it('fails at once, before what waits', async () => {
    const queue = new SubscriberQueue<number>(2);
    queue.push(1);

    queue.fail(new Error('first'));
    queue.fail(new Error('second'));

    await expect(all(queue)).rejects.toThrow('first');
  });

  it('ends a reader that waits when the signal aborts, and at once when it has', async () => {
    const controller = new AbortController();
    const reading = all(new SubscriberQueue<number>(2).closeOn(controller.signal));

    controller.abort();

    expect(await reading).toEqual([]);
    expect(await all(new SubscriberQueue<number>(2).closeOn(controller.signal))).toEqual([]);
  });

  it('forgets what waits when its reader leaves', async () => {
    const queue = new SubscriberQueue<number>(5);
    queue.push(1);
    queue.push(2);

    for await (const _ of queue) break;

    queue.push(3);
    expect(queue.size).toBe(0);
  });

  it('lets a publisher wait until the reader has made room', async () => {
    const queue = new SubscriberQueue<number>(4);
    for (const value of [1, 2, 3]) queue.push(value);
    const reader = queue[Symbol.asyncIterator]();
    const order: string[] = [];

    const waiting = queue.room(60_000).then(() => order.push('room'));
    await Promise.resolve();
    order.push('read');
    await reader.next();
    await waiting;

    expect(order).toEqual(['read', 'room']);
    expect(queue.size).toBe(2);
  });

  it('does not let a publisher wait twice for a reader who sleeps', async () => {
    vi.useFakeTimers();
    const queue = new SubscriberQueue<number>(2);
    for (const value of [1, 2, 3]) queue.push(value);
    let waited = 0;

    const waiting = queue.room(200).then(() => (waited += 1));
    await vi.advanceTimersByTimeAsync(199);
    expect(waited).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    await queue.room(200);

    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('lets a publisher go when the queue is closed', async () => {
    const queue = new SubscriberQueue<number>(1);
    queue.push(1);

    const waiting = queue.room(60_000);
    queue.close();

    await expect(waiting).resolves.toBeUndefined();
  });
});
