import { RpcException } from '@nestjs/microservices';
import { catchError, isObservable, lastValueFrom, type Observable, toArray } from 'rxjs';
import { onlyOnFace, wordOf } from '../core/index.js';
import {
  composeGuards,
  composeParams,
  HandlerCall,
  type HandlerRef,
  type HandlerSource,
  isThenable,
  type RpcParts,
} from '../pipeline/index.js';
import { MessagePumpInterceptor } from './message-pump.interceptor.js';
import { isAsyncIterable } from './result-pump.js';
import type { RpcCall } from './rpc-call.js';

/** Serves one call; the first argument of Nest's handlers, and the third, which has the second. */
export type RpcChain = (data: unknown, call: RpcCall) => unknown;

class RpcHandlerCall extends HandlerCall {
  readonly #data: unknown;
  readonly #call: RpcCall;
  #args: unknown[] | undefined;

  constructor(data: unknown, call: RpcCall) {
    super();
    this.#data = data;
    this.#call = call;
  }

  override get args(): unknown[] {
    this.#args ??= [this.#data, this.#call.metadata, this.#call];
    return this.#args;
  }

  override argument(index: number): unknown {
    if (index === 0) return this.#data;
    return index === 1 ? this.#call.metadata : this.#call;
  }
}

/**
 * Guards, pipes, handler and filters of the RPC that Nest registered for `pattern`, in one function that gives no promise
 * where none of them does, and no Observable.
 *
 * @returns `undefined` where Nest's own closure has to serve: an interceptor of the application's stands there, or
 *   something is made for each request
 */
export function composeRpc(source: HandlerSource, pattern: object): RpcChain | undefined {
  const found = source.rpc(pattern);
  if (found === undefined || !found.parts.interceptors.every(isIdle)) return undefined;
  const serve = chainOf(found.ref, found.parts);
  if (passesErrors(found.parts)) return (data, call) => serve(new RpcHandlerCall(data, call));
  return filtered(serve, found.parts);
}

function chainOf({ controller, callback, instance }: HandlerRef, parts: RpcParts): (call: RpcHandlerCall) => unknown {
  const target = { face: 'grpc', controller, handler: callback } as const;
  const admit = composeGuards(parts, target, () => new RpcException('Forbidden resource'));
  const argumentsOf = composeParams(parts, callback, true) ?? ((call: HandlerCall) => call.args);
  const handle = (call: RpcHandlerCall): unknown => {
    const args = argumentsOf(call);
    return args instanceof Promise
      ? args.then((settled) => callback.apply(instance, settled))
      : callback.apply(instance, args);
  };
  if (admit === undefined) return handle;
  return (call) => {
    const pending = admit(call);
    return pending === undefined ? handle(call) : pending.then(() => handle(call));
  };
}

// An AsyncIterable is pulled by the call itself.
function isIdle(interceptor: object): boolean {
  return interceptor.constructor === MessagePumpInterceptor || isIdleOnGrpc(interceptor, 'intercept');
}

function isIdleOnGrpc(enhancer: object, method: string): boolean {
  const face = wordOf(enhancer, onlyOnFace, method);
  return face !== undefined && face !== 'grpc';
}

// The framework's own filter lets errors through; without any, Nest's default would turn them into something else.
function passesErrors({ globalFilters, hasOwnFilters }: RpcParts): boolean {
  return !hasOwnFilters && globalFilters.length > 0 && globalFilters.every((filter) => isIdleOnGrpc(filter, 'catch'));
}

function filtered(serve: (call: RpcHandlerCall) => unknown, { handleError }: RpcParts): RpcChain {
  return (data, rpc) => {
    const call = new RpcHandlerCall(data, rpc);
    const onError = (error: unknown): unknown => handleError(error, call.args);
    try {
      const result = serve(call);
      if (!isThenable(result)) return watched(result, onError);
      return Promise.resolve(result).then((value) => watched(value, onError), onError);
    } catch (error) {
      return onError(error);
    }
  };
}

function watched(result: unknown, onError: (error: unknown) => unknown): unknown {
  if (isObservable(result)) return result.pipe(catchError((error: unknown) => onError(error) as Observable<unknown>));
  if (isAsyncIterable(result)) return watchedMessages(result, onError);
  return result;
}

// By hand, as a generator around it would hold back `return()` until the message it waits for has come.
function watchedMessages(
  messages: AsyncIterable<unknown>,
  onError: (error: unknown) => unknown,
): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      let source: AsyncIterator<unknown> | undefined;
      let answers: Iterator<unknown> | undefined;
      return {
        async next() {
          if (answers !== undefined) return answers.next();
          try {
            source ??= messages[Symbol.asyncIterator]();
            return await source.next();
          } catch (error) {
            answers = (await answersTo(onError(error))).values();
            return answers.next();
          }
        },
        async return(value: unknown) {
          await source?.return?.();
          return { done: true, value };
        },
      };
    },
  };
}

async function answersTo(handled: unknown): Promise<unknown[]> {
  const answer = await handled;
  return isObservable(answer) ? lastValueFrom(answer.pipe(toArray())) : [answer];
}
