import { channel, type Channel } from 'node:diagnostics_channel';
import type { RequestContext } from './context.js';
import type { Fault } from './fault.js';

/** Published when a request has been answered, refused or given up, once per request, on every face. */
export interface RequestEnd {
  readonly context: RequestContext;
  /** gRPC code of the outcome; on the HTTP face by the canonical mapping. */
  readonly status: number;
  /** HTTP status; 200 for a gRPC call that got an answer, whatever its code. */
  readonly httpStatus: number;
  readonly durationMs: number;
  /**
   * Time that the service took, in ms: from the whole request to the whole response, without the time in which the client
   * sends and reads. `undefined` where that cannot be told apart: for streams and for clients that read slowly.
   */
  readonly serviceMs: number | undefined;
  /** Stable reason of the failure. */
  readonly reason: string | undefined;
  /** Whose fault the outcome is; `undefined` for success. */
  readonly fault: Fault | undefined;
}

/** Published for a failure with a part that the client was not told: a defect, or what another service said. */
export interface RequestFault {
  readonly context: RequestContext | undefined;
  readonly error: unknown;
  readonly fault: Fault;
  /** Address or name of the other service, where the error has it. */
  readonly upstream: string | undefined;
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
