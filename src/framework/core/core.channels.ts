import { channel, type Channel } from 'node:diagnostics_channel';
import type { RequestContext } from './context.js';

/** Published when a request has been answered, refused or given up, once per request, on every face. */
export interface RequestEnd {
  readonly context: RequestContext;
  /** gRPC code of the outcome; on the HTTP face by the canonical mapping. */
  readonly status: number;
  /** HTTP status; 200 for a gRPC call that got an answer, whatever its code. */
  readonly httpStatus: number;
  readonly durationMs: number;
  /** Stable reason of the failure. */
  readonly reason: string | undefined;
}

/** Published for a failure that is the service's own: what the caller was not told. */
export interface RequestFault {
  readonly context: RequestContext | undefined;
  readonly error: unknown;
}

/** Published when a probe turns from up to down or back. */
export interface ProbeChange {
  readonly name: string;
  readonly isUp: boolean;
  /** Why it is down; for the log only. */
  readonly error: unknown;
}

/** A diagnostics channel that knows the type of its messages. */
export interface TypedChannel<T> {
  readonly name: string;
  /** False while nobody listens: the message need not be made then. */
  readonly hasSubscribers: boolean;
  publish(message: T): void;
  /** Returns the way to take `listener` back. A listener that throws does not disturb the publisher. */
  subscribe(listener: (message: T) => void): () => void;
}

/** Opens the diagnostics channel `name` with messages of type `T`. */
export function typedChannel<T>(name: string): TypedChannel<T> {
  const raw: Channel = channel(name);
  return {
    name,
    get hasSubscribers() {
      return raw.hasSubscribers;
    },
    publish: (message) => raw.publish(message),
    subscribe: (listener) => {
      const handler = (message: unknown): void => listener(message as T);
      raw.subscribe(handler);
      return () => raw.unsubscribe(handler);
    },
  };
}

/** Every request's end. */
export const requestEndChannel: TypedChannel<RequestEnd> = typedChannel('rookery:request.end');

/** Every fault of the service itself. */
export const requestFaultChannel: TypedChannel<RequestFault> = typedChannel('rookery:request.fault');

/** Every change of a probe's outcome. */
export const probeChangeChannel: TypedChannel<ProbeChange> = typedChannel('rookery:probe.change');
