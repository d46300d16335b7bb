/**
 * One event, many subscribers, none of which holds up the others.
 *
 * @example
 * const queue = new SubscriberQueue<UserChange>(1024).closeOn(signal);
 * for await (const { value, missed } of queue) { … }
 */
export { SubscriberQueue } from './subscriber-queue.js';
