import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { type BaseRpcContext, type MessageHandler, Server, ServerGrpc, Transport } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { HandlerSource } from '../pipeline/index.js';
import { answerCallback, DuplexCall } from './duplex-call.js';
import type { GrpcServer } from './grpc-server.js';
import { answeredByHandler } from './method-table.js';
import { checkStreaming, type Pattern, PatternResolver } from './pattern-resolver.js';
import { GrpcRequestStream } from './request-stream.js';
import { composeRpc, type RpcChain } from './rpc-chain.js';
import { inputExtra, rpcExtra } from './rpc.decorator.js';
import type { Invoke, ServerCall } from './server-call.js';

type Handler = (...args: unknown[]) => unknown;

type StartHook = Parameters<Server['setOnProcessingStartHook']>[0];
type EndHook = Parameters<Server['setOnProcessingEndHook']>[0];

interface Registration {
  readonly pattern: Pattern;
  /** Set by `@GrpcService`; Nest's own decorators name the method only. */
  readonly method: DescMethod | undefined;
  readonly takesInput: boolean;
  /** Nest's closure. */
  readonly handler: Handler;
  /** What serves instead of it, where it can. */
  readonly chain: RpcChain | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * Nest's side of the gRPC face: takes the application's handlers from Nest and has `GrpcServer` serve them. It listens
 * on nothing; connect it with `app.connectMicroservice({ strategy }, { inheritAppConfig: true })`.
 */
export class GrpcStrategy extends Server<never, never> {
  override transportId: Transport = Transport.GRPC;
  readonly #server: GrpcServer;
  readonly #resolver = new PatternResolver();
  readonly #registrations: Registration[] = [];
  #handlers: HandlerSource | undefined;
  #hasHooks = false;

  /** @param services descriptors for handlers that name their service by Nest's own decorators */
  constructor(server: GrpcServer, services: readonly DescService[] = []) {
    super();
    this.#server = server;
    this.addServices(...services);
  }

  /**
   * Has each handler's chain put together once, where that comes to the same; without, handlers run by Nest's closures.
   * Before the handlers are bound.
   *
   * @param handlers of the application it is connected to with `inheritAppConfig`, or of the microservice itself
   */
  composeWith(handlers: HandlerSource): void {
    this.#handlers = handlers;
  }

  /** Makes services known to handlers that name them by Nest's own decorators. Before `listen()`. */
  addServices(...services: readonly DescService[]): void {
    for (const service of services) this.#resolver.add(service);
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<PropertyKey, unknown> = {},
  ): void {
    callback.isEventHandler = isEventHandler;
    this.messageHandlers.set(JSON.stringify(pattern), callback);
    // A handler of another transport that was declared without one; gRPC has no such messages.
    if (!isPattern(pattern)) return;
    const method = extras[rpcExtra] as DescMethod | undefined;
    // Now, as Nest does: what the application adds to itself later does not concern this handler.
    const chain = isEventHandler ? undefined : this.#compose(pattern);
    const takesInput = extras[inputExtra] === true;
    const timeoutMs = this.#handlers?.rpcTimeoutMs(pattern);
    this.#registrations.push({ pattern, method, takesInput, handler: callback as Handler, chain, timeoutMs });
  }

  override listen(callback: (error?: unknown) => void): void {
    try {
      for (const { method } of this.#registrations) if (method !== undefined) this.#resolver.add(method.parent);
      for (const registration of this.#registrations) this.#bind(registration);
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  override close(): void {
    this.#server.close();
  }

  override on(event: PropertyKey): never {
    throw new Error(`GrpcStrategy has no event ${String(event)}: connections are the HTTP server's`);
  }

  /** The `GrpcServer`. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- Nest's signature
  override unwrap<T>(): T {
    return this.#server as T;
  }

  override setOnProcessingStartHook(hook: StartHook): void {
    this.#hasHooks = true;
    super.setOnProcessingStartHook(hook);
  }

  override setOnProcessingEndHook(hook: EndHook): void {
    this.#hasHooks = true;
    super.setOnProcessingEndHook(hook);
  }

  #compose(pattern: Pattern): RpcChain | undefined {
    if (this.#handlers === undefined || pattern.streaming === 'pt_stream') return undefined;
    return composeRpc(this.#handlers, pattern);
  }

  #bind({ pattern, method, takesInput, handler, chain, timeoutMs }: Registration): void {
    const desc = method ?? this.#resolver.resolve(pattern);
    if (method !== undefined) checkStreaming(method, pattern.streaming, `@Rpc() ${method.localName}`);
    const invoke = chain === undefined ? invokers[pattern.streaming](handler, desc) : composed(pattern, chain);
    this.#server.bind(desc, this.#hasHooks ? this.#withHooks(invoke) : invoke, {
      unknownFields: takesInput ? 'checked' : 'passed',
      timeoutMs,
    });
  }

  // Instrumentation that Nest offers its transports: `done` runs the call, the end hook comes when it is answered.
  #withHooks(invoke: Invoke): Invoke {
    return (call) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      this.runWithProcessingHooks(call.handle as unknown as BaseRpcContext, async (runEndHook) => {
        try {
          resolve(await invoke(call));
        } catch (error) {
          reject(error);
        } finally {
          runEndHook();
        }
      });
      return promise;
    };
  }
}

// Nest gives undecorated handlers `(data, metadata, call)` only where the transport is `instanceof ServerGrpc`. Its
// constructor loads grpc-js and a proto loader, which both must be installed, and keeps them for all its instances.
// So only its prototype is borrowed: `instanceof` holds, and its constructor never runs.
Object.setPrototypeOf(GrpcStrategy.prototype, ServerGrpc.prototype);

const invokers: Readonly<Record<Pattern['streaming'], (handler: Handler, method: DescMethod) => Invoke>> = {
  no_stream: (handler) => (call) => handler(call.handle.request, call.handle.metadata, call.handle),
  rx_stream: (handler) => (call) => handler(streamOf(call), call.handle.metadata, call.handle),
  pt_stream: (handler, method) => (call) => {
    const duplex = new DuplexCall(call);
    const result = method.methodKind === 'bidi_streaming' ? handler(duplex) : handler(duplex, answerCallback(call));
    return settled(result);
  },
};

function composed(pattern: Pattern, chain: RpcChain): Invoke {
  if (pattern.streaming === 'rx_stream') return (call) => chain(streamOf(call), call.handle);
  return (call) => chain(call.handle.request, call.handle);
}

function streamOf(call: ServerCall): GrpcRequestStream<unknown> {
  return new GrpcRequestStream<unknown>({ next: () => call.nextRequest(), fail: (error) => call.fail(error) });
}

// The handler of a Node stream answers by the stream; what it returns counts only where it is an error.
async function settled(result: unknown): Promise<typeof answeredByHandler> {
  const value = await result;
  if (isObservable(value)) await lastValueFrom(value, { defaultValue: undefined });
  return answeredByHandler;
}

function isPattern(pattern: unknown): pattern is Pattern {
  if (typeof pattern !== 'object' || pattern === null) return false;
  const { service, rpc, streaming } = pattern as Partial<Record<keyof Pattern, unknown>>;
  return (
    typeof service === 'string' && typeof rpc === 'string' && typeof streaming === 'string' && streaming in invokers
  );
}
