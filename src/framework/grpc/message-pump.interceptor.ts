import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Observable, type Subscriber, switchMap } from 'rxjs';
import { currentContext, onlyOnFace, type RequestContext } from '../core/index.js';
import { isAsyncIterable, returnQuietly } from './result-pump.js';

/**
 * Turns the AsyncIterable that a streaming handler returns into an Observable of its messages, so that the interceptors
 * and exception filters around it see every message and error. The next message is asked for when the caller can take it.
 */
@Injectable()
export class MessagePumpInterceptor implements NestInterceptor<unknown, unknown> {
  get [onlyOnFace](): 'grpc' {
    return 'grpc';
  }

  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    const result = next.handle();
    if (context.getType() !== 'rpc') return result;
    const request = currentContext();
    return result.pipe(switchMap((value) => (isAsyncIterable(value) ? messagesOf(value, request) : [value])));
  }
}

function messagesOf(source: AsyncIterable<unknown>, request: RequestContext | undefined): Observable<unknown> {
  return new Observable((subscriber) => {
    const iterator = source[Symbol.asyncIterator]();
    void pump(iterator, subscriber, request);
    return () => void returnQuietly(iterator);
  });
}

async function pump(
  iterator: AsyncIterator<unknown>,
  subscriber: Subscriber<unknown>,
  request: RequestContext | undefined,
): Promise<void> {
  try {
    while (!subscriber.closed) {
      const blocked = request?.backpressure?.();
      if (blocked !== undefined) await blocked;
      if (subscriber.closed) return;
      const result: IteratorResult<unknown, unknown> = await iterator.next();
      if (result.done === true) {
        subscriber.complete();
        return;
      }
      subscriber.next(result.value);
    }
  } catch (error) {
    subscriber.error(error);
  }
}
