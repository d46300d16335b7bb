/** A stream of request messages whose elements can be mapped one by one, as they are pulled. */
export interface MessageStream {
  map(convert: (message: unknown) => unknown): unknown;
}

/** Whether `value` is the request stream of a streaming call; arrays and plain Observables are not. */
export function isMessageStream(value: unknown): value is MessageStream {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return false;
  return typeof (value as Partial<MessageStream>).map === 'function';
}
