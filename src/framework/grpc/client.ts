import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type CallOptions as WireOptions, type ChannelCredentials, Client, credentials, Metadata } from '@grpc/grpc-js';
import { currentContext, traceparentOf } from '../core/index.js';
import { type CallTarget, remoteError } from './client.errors.js';
import { returnQuietly } from './result-pump.js';

/** How a service is reached. */
export interface GrpcClientOptions {
  /** `host:port`, or any target that gRPC's name resolution knows. */
  readonly address: string;
  /** PEM texts; without this, cleartext. An empty object trusts the usual authorities. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Asked before each call, whose time includes it: a call fails with `TimeoutError` where it does not come. Sent as `authorization: Bearer …`. */
  readonly token?: () => Promise<string>;
  /** Limit of a call that neither says its own nor inherits one, in ms. */
  readonly timeoutMs: number;
}

/** What a single call may set. */
export interface GrpcCallOptions {
  /** Limit of this call, in ms; the time that the request at hand has left counts as well. */
  readonly timeoutMs?: number;
  /** Cancels the call. The signal of the request at hand does so anyway. */
  readonly signal?: AbortSignal;
  /** Further metadata; keys in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Call<M> = M extends {
  methodKind: infer K;
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? K extends 'unary'
    ? (input: MessageInitShape<I>, options?: GrpcCallOptions) => Promise<MessageShape<O>>
    : K extends 'server_streaming'
      ? (input: MessageInitShape<I>, options?: GrpcCallOptions) => AsyncIterable<MessageShape<O>>
      : K extends 'client_streaming'
        ? (input: AsyncIterable<MessageInitShape<I>>, options?: GrpcCallOptions) => Promise<MessageShape<O>>
        : (input: AsyncIterable<MessageInitShape<I>>, options?: GrpcCallOptions) => AsyncIterable<MessageShape<O>>
  : never;

/** The methods of a service, to be called. */
export type GrpcClient<S extends DescService> = { readonly [K in keyof S['method']]: Call<S['method'][K]> } & {
  /** Ends the connection. May be called twice. */
  close(): void;
};

/**
 * A client of `service`. Made within a request, a call carries its request id, trace, tenant and remaining time, and is
 * cancelled with it. Failures are `RemoteError`s.
 *
 * @example
 * const users = createGrpcClient(UserService, { address: 'users:8080', timeoutMs: 1000 });
 * const user = await users.getUser({ id: '1' });
 * for await (const change of users.watchUsers({})) { … }
 */
export function createGrpcClient<S extends DescService>(service: S, options: GrpcClientOptions): GrpcClient<S> {
  const wire = new Client(options.address, credentialsOf(options), { 'grpc.enable_channelz': 0 });
  const client: Record<string, unknown> = { close: () => wire.close() };
  for (const method of service.methods) client[method.localName] = callerOf(wire, method, options);
  return client as GrpcClient<S>;
}

function credentialsOf({ tls }: GrpcClientOptions): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}

function callerOf(wire: Client, method: DescMethod, options: GrpcClientOptions): unknown {
  const path = `/${method.parent.typeName}/${method.name}`;
  const encode = (input: object): Buffer => {
    const bytes = toBinary(method.input, create(method.input, input as MessageInitShape<DescMessage>));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const decode = (bytes: Buffer): Message => fromBinary(method.output, bytes);
  const target: CallTarget = { peer: options.address, method: path.slice(1) };
  const begin = async (own: GrpcCallOptions = {}): Promise<OpenCall> => openCall(target, options, own);
  switch (method.methodKind) {
    case 'unary':
      return (input: object, own?: GrpcCallOptions) =>
        answered(begin(own), ({ metadata, wireOptions }, done) =>
          wire.makeUnaryRequest(path, encode, decode, input, metadata, wireOptions, done),
        );
    case 'client_streaming':
      return (input: AsyncIterable<object>, own?: GrpcCallOptions) =>
        answered(begin(own), (open, done) => {
          const call = wire.makeClientStreamRequest(path, encode, decode, open.metadata, open.wireOptions, done);
          void send(input, call, open);
          return call;
        });
    case 'server_streaming':
      return (input: object, own?: GrpcCallOptions) =>
        streamed(begin(own), ({ metadata, wireOptions }) =>
          wire.makeServerStreamRequest(path, encode, decode, input, metadata, wireOptions),
        );
    default:
      return (input: AsyncIterable<object>, own?: GrpcCallOptions) =>
        streamed(begin(own), (open) => {
          const call = wire.makeBidiStreamRequest(path, encode, decode, open.metadata, open.wireOptions);
          void send(input, call, open);
          return call;
        });
  }
}

interface OpenCall {
  readonly target: CallTarget;
  readonly metadata: Metadata;
  readonly wireOptions: WireOptions;
  readonly signals: readonly AbortSignal[];
  /** Set when the messages to send broke off: that is then the error, not the cancellation it led to. */
  sourceFailure?: { readonly error: unknown };
}

interface Cancellable {
  cancel(): void;
}

async function openCall(target: CallTarget, options: GrpcClientOptions, own: GrpcCallOptions): Promise<OpenCall> {
  const context = currentContext();
  const metadata = new Metadata();
  if (context !== undefined) {
    metadata.set('x-request-id', context.requestId);
    metadata.set('traceparent', traceparentOf(context.trace));
    if (context.trace.state !== undefined) metadata.set('tracestate', context.trace.state);
    if (context.tenant !== undefined) metadata.set('x-tenant', context.tenant);
  }
  for (const [key, value] of Object.entries(own.headers ?? {})) metadata.set(key, value);
  const leftMs = Math.min(
    own.timeoutMs ?? options.timeoutMs,
    context?.deadline.remainingMs() ?? Number.POSITIVE_INFINITY,
  );
  const deadline = leftMs === Number.POSITIVE_INFINITY ? leftMs : Date.now() + leftMs;
  const signals = [context?.signal, own.signal].filter((signal) => signal !== undefined);
  if (options.token !== undefined)
    metadata.set('authorization', `Bearer ${await within(options.token(), leftMs, signals)}`);
  return { target, metadata, wireOptions: { deadline }, signals };
}

// Of a timer.
const longestMs = 2_147_483_647;

// The time of a call begins with what has to be asked for before it.
async function within<T>(promise: Promise<T>, limitMs: number, signals: readonly AbortSignal[]): Promise<T> {
  const limits =
    limitMs === Number.POSITIVE_INFINITY
      ? []
      : [AbortSignal.timeout(Math.min(longestMs, Math.max(0, Math.ceil(limitMs))))];
  const over = AbortSignal.any([...signals, ...limits]);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(over.reason);
  if (over.aborted) onAbort();
  over.addEventListener('abort', onAbort);
  return await Promise.race([promise, late]).finally(() => over.removeEventListener('abort', onAbort));
}

// Cancels the call when a signal fires; returns the way to stop watching.
function watch(call: Cancellable, signals: readonly AbortSignal[]): () => void {
  const cancel = (): void => call.cancel();
  for (const signal of signals) {
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  }
  return () => {
    for (const signal of signals) signal.removeEventListener('abort', cancel);
  };
}

function errorOf(open: OpenCall, error: unknown): unknown {
  return open.sourceFailure === undefined ? remoteError(error, open.target) : open.sourceFailure.error;
}

type Done = (error: Error | null, value?: Message) => void;

async function answered(
  opening: Promise<OpenCall>,
  start: (open: OpenCall, done: Done) => Cancellable,
): Promise<Message> {
  const open = await opening;
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  const call = start(open, (error, value) => {
    if (error === null && value !== undefined) resolve(value);
    else reject(errorOf(open, error));
  });
  const unwatch = watch(call, open.signals);
  return promise.finally(unwatch);
}

async function* streamed(
  opening: Promise<OpenCall>,
  start: (open: OpenCall) => Cancellable & AsyncIterable<Message>,
): AsyncGenerator<Message> {
  const open = await opening;
  const call = start(open);
  const unwatch = watch(call, open.signals);
  try {
    yield* call;
  } catch (error) {
    throw errorOf(open, error);
  } finally {
    unwatch();
    call.cancel();
  }
}

interface Sink extends Cancellable {
  write(message: object): boolean;
  end(): unknown;
  on(event: 'drain' | 'status', listener: () => void): unknown;
}

// Sends what `input` yields, no faster than the other side takes it.
async function send(input: AsyncIterable<object>, call: Sink, open: OpenCall): Promise<void> {
  const state = { isOver: false };
  let proceed = (): void => {};
  const iterator = input[Symbol.asyncIterator]();
  call.on('drain', () => proceed());
  // The other side may end the call before everything is sent; nobody would drain it then.
  call.on('status', () => {
    state.isOver = true;
    proceed();
    void returnQuietly(iterator);
  });
  try {
    while (!state.isOver) {
      const result: IteratorResult<object, unknown> = await iterator.next();
      if (result.done === true) break;
      if (!state.isOver && !call.write(result.value)) await new Promise<void>((resolve) => (proceed = resolve));
    }
    call.end();
  } catch (error) {
    // The other side must not take what it has for everything.
    open.sourceFailure = { error };
    call.cancel();
  }
}
