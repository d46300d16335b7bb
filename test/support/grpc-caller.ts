import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { type Failed, failureOf } from './grpc-failure.js';

/** How one call differs from a plain one. */
export interface CallInit {
  readonly metadata?: Readonly<Record<string, string | Buffer>>;
  readonly token?: string | undefined;
  /** From now, in ms; 20 s where it is not said, so that no test waits for ever. */
  readonly timeoutMs?: number;
  /** Told to the server, and not kept by the client itself: so the server's own word comes back. */
  readonly serverTimeoutMs?: number;
}

/** What a caller sees of a call that ended. */
export interface Ended {
  readonly messages: readonly JsonValue[];
  readonly header: grpc.Metadata;
  readonly trailer: grpc.Metadata;
  /** `undefined` for OK. */
  readonly failure: Failed | undefined;
}

/** A call that is under way. */
export interface OpenCall {
  readonly call: grpc.ClientDuplexStream<JsonValue, JsonValue>;
  /** Resolves when the status is there; never rejects. */
  readonly ended: Promise<Ended>;
}

const defaultTimeoutMs = 20_000;

/** A grpc-js client that speaks canonical JSON to the tests: messages are given and told as JSON, the wire is protobuf. */
export class GrpcCaller {
  readonly #client: grpc.Client;

  constructor(address: string, options: grpc.ClientOptions = {}, credentials = grpc.credentials.createInsecure()) {
    // Each caller has its own connection: what one test does to its connection is not felt by the next.
    this.#client = new grpc.Client(address, credentials, { 'grpc.use_local_subchannel_pool': 1, ...options });
  }

  /** Calls in any mode with all of `messages`, and waits for the end. */
  async call(method: DescMethod, messages: readonly JsonValue[], init: CallInit = {}): Promise<Ended> {
    const { call, ended } = this.open(method, init);
    for (const message of messages) call.write(message);
    call.end();
    call.resume();
    return ended;
  }

  /** Opens a call in any mode. What arrives is collected while somebody reads: `call.resume()`, or `for await`. */
  open(method: DescMethod, init: CallInit = {}): OpenCall {
    const call = this.#client.makeBidiStreamRequest<JsonValue, JsonValue>(
      pathOf(method),
      (message) => Buffer.from(toBinary(method.input, fromJson(method.input, message))),
      (bytes) => toJson(method.output, fromBinary(method.output, bytes)),
      headersOf(init),
      { deadline: deadlineOf(init) },
    );
    return { call, ended: watch(call) };
  }

  /** A call whose request messages are the bytes given, however wrong they are. */
  async callBytes(path: string, messages: readonly Uint8Array[], init: CallInit = {}): Promise<Ended> {
    const call = this.#client.makeBidiStreamRequest<Uint8Array, JsonValue>(
      path,
      (bytes) => Buffer.from(bytes),
      (bytes) => bytes.toString('base64'),
      headersOf(init),
      { deadline: deadlineOf(init) },
    );
    const ended = watch(call as unknown as grpc.ClientDuplexStream<JsonValue, JsonValue>);
    for (const message of messages) call.write(message);
    call.end();
    call.resume();
    return ended;
  }

  close(): void {
    this.#client.close();
  }
}

/** `/package.Service/Method`. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The method of a service by the name in the .proto file. */
export function methodOf(service: DescService, name: string): DescMethod {
  const found = service.methods.find((method) => method.name === name);
  if (found === undefined) throw new Error(`${service.typeName} has no method ${name}`);
  return found;
}

/** The canonical JSON of a message with every field that has no presence, as the REST side sends it. */
export function fullJson(desc: DescMessage, json: JsonValue): JsonValue {
  return toJson(desc, json === null ? create(desc) : fromJson(desc, json), { alwaysEmitImplicit: true });
}

function headersOf({ metadata = {}, token, serverTimeoutMs }: CallInit): grpc.Metadata {
  const headers = new grpc.Metadata();
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  if (serverTimeoutMs !== undefined) headers.set('grpc-timeout', `${serverTimeoutMs}m`);
  return headers;
}

function deadlineOf({ timeoutMs = defaultTimeoutMs, serverTimeoutMs }: CallInit): number {
  return serverTimeoutMs === undefined ? Date.now() + timeoutMs : Number.POSITIVE_INFINITY;
}

function watch(call: grpc.ClientDuplexStream<JsonValue, JsonValue>): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const messages: JsonValue[] = [];
  let header = new grpc.Metadata();
  call.on('metadata', (metadata) => {
    header = metadata;
  });
  // Not a 'data' listener, which would start the flow: what is pushed out is seen all the same.
  const push = call.push.bind(call);
  call.push = (chunk: JsonValue | null) => {
    if (chunk !== null) messages.push(chunk);
    return push(chunk);
  };
  call.on('error', () => {});
  call.on('status', (status) => {
    const failure = status.code === grpc.status.OK ? undefined : failureOf(status);
    resolve({ messages, header, trailer: status.metadata, failure });
  });
  return promise;
}
