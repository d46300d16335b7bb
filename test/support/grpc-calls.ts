import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type {
  CallOptions,
  Client,
  ClientDuplexStream,
  ClientReadableStream,
  ClientWritableStream,
  Metadata,
  ServiceError,
} from '@grpc/grpc-js';
import { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../src/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.js';

type Input<M extends DescMethod> = MessageInitShape<M['input']>;
type Output<M extends DescMethod> = MessageShape<M['output']>;

const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;
const encoder = (method: DescMethod) => (value: object) =>
  Buffer.from(toBinary(method.input, create(method.input, value as never)));
const decoder =
  <M extends DescMethod>(method: M) =>
  (bytes: Buffer) =>
    fromBinary(method.output, bytes) as Output<M>;

/** The answer of a unary call with everything around it. */
export interface Answer<T> {
  readonly value: T;
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

export async function unary<M extends DescMethod>(
  client: Client,
  method: M,
  input: Input<M>,
  { metadata = new GrpcMetadata(), ...options }: CallOptions & { metadata?: Metadata } = {},
): Promise<Answer<Output<M>>> {
  const headers = Promise.withResolvers<Metadata>();
  const trailers = Promise.withResolvers<Metadata>();
  const value = await new Promise<Output<M>>((resolve, reject) => {
    const call = client.makeUnaryRequest(
      pathOf(method),
      encoder(method),
      decoder(method),
      input as object,
      metadata,
      options,
      (error, result) => {
        if (error === null) resolve(result as Output<M>);
        else reject(error);
      },
    );
    call.on('metadata', headers.resolve);
    call.on('status', (status) => trailers.resolve(status.metadata));
  });
  return { value, headers: await headers.promise, trailers: await trailers.promise };
}

export function serverStream<M extends DescMethod>(
  client: Client,
  method: M,
  input: Input<M>,
  options: CallOptions = {},
): ClientReadableStream<Output<M>> {
  return client.makeServerStreamRequest(
    pathOf(method),
    encoder(method),
    decoder(method),
    input as object,
    new GrpcMetadata(),
    options,
  );
}

export function clientStream<M extends DescMethod>(
  client: Client,
  method: M,
  options: CallOptions = {},
): { call: ClientWritableStream<Input<M>>; answer: Promise<Output<M>> } {
  const { promise, resolve, reject } = Promise.withResolvers<Output<M>>();
  const call = client.makeClientStreamRequest<object, Output<M>>(
    pathOf(method),
    encoder(method),
    decoder(method),
    new GrpcMetadata(),
    options,
    (error, value) => {
      if (error === null) resolve(value as Output<M>);
      else reject(error);
    },
  );
  promise.catch(() => {});
  return { call, answer: promise };
}

export function bidiStream<M extends DescMethod>(
  client: Client,
  method: M,
  options: CallOptions = {},
): ClientDuplexStream<Input<M>, Output<M>> {
  return client.makeBidiStreamRequest<object, Output<M>>(
    pathOf(method),
    encoder(method),
    decoder(method),
    new GrpcMetadata(),
    options,
  );
}

/** What a failed call tells, with its details. */
export interface Told {
  readonly code: number;
  readonly details: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Record<string, string> | undefined;
  readonly violations: readonly { field: string; description: string; reason: string }[];
  readonly retryDelaySeconds: number | undefined;
  readonly requestId: string | undefined;
}

/** Reads the google.rpc details of a status. */
export function told(code: number, message: string, detailsBin: Uint8Array | undefined): Told {
  const packed = detailsBin === undefined ? [] : fromBinary(StatusSchema, detailsBin).details;
  const info = packed.map((any) => anyUnpack(any, ErrorInfoSchema)).find((each) => each !== undefined);
  const bad = packed.map((any) => anyUnpack(any, BadRequestSchema)).find((each) => each !== undefined);
  const retry = packed.map((any) => anyUnpack(any, RetryInfoSchema)).find((each) => each !== undefined);
  const request = packed.map((any) => anyUnpack(any, RequestInfoSchema)).find((each) => each !== undefined);
  return {
    code,
    details: message,
    reason: info?.reason,
    domain: info?.domain,
    metadata: info?.metadata,
    violations: (bad?.fieldViolations ?? []).map(({ field, description, reason }) => ({ field, description, reason })),
    retryDelaySeconds:
      retry?.retryDelay === undefined ? undefined : Number(retry.retryDelay.seconds) + retry.retryDelay.nanos / 1e9,
    requestId: request?.requestId,
  };
}

/** How a call failed; throws when it did not. */
export async function failureOf(call: Promise<unknown>): Promise<Told> {
  try {
    await call;
  } catch (error) {
    const { code, details, metadata } = error as ServiceError;
    return told(code, details, metadata.get('grpc-status-details-bin')[0] as Buffer | undefined);
  }
  throw new Error('the call succeeded');
}

/** All messages of a stream. */
export async function collect<T>(
  stream: ({ deserialize(bytes: Buffer): T } & AsyncIterable<unknown>) | AsyncIterable<T>,
): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each as T);
  return all;
}

/** What came back on a raw stream. */
export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: Buffer;
  readonly resetCode: number;
  /** `grpc-status`, wherever it stood. */
  readonly status: number | undefined;
  readonly message: string | undefined;
}

/** The bytes of one message with its prefix. */
export function frame(data: Uint8Array, flags = 0, length = data.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, data]);
}

/** Opens a raw stream. */
export function rawStream(
  session: ClientHttp2Session,
  method: DescMethod | string,
  headers: Record<string, string | undefined> = {},
): ClientHttp2Stream {
  return session.request({
    ':method': 'POST',
    ':path': typeof method === 'string' ? method : pathOf(method),
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
}

/** Waits for the end of a raw stream. */
export async function rawAnswer(stream: ClientHttp2Stream): Promise<RawAnswer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  const body: Buffer[] = [];
  stream.on('response', (received) => (headers = received));
  stream.on('trailers', (received) => (trailers = received));
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  stream.on('error', () => {});
  await new Promise((resolve) => stream.on('close', resolve));
  const all = { ...headers, ...trailers };
  const status = all['grpc-status'] as string | undefined;
  return {
    headers,
    trailers,
    body: Buffer.concat(body),
    resetCode: stream.rstCode ?? 0,
    status: status === undefined ? undefined : Number(status),
    message: all['grpc-message'] as string | undefined,
  };
}

/** Sends `body` as one raw request. */
export function rawCall(
  session: ClientHttp2Session,
  method: DescMethod | string,
  body: Uint8Array,
  headers?: Record<string, string | undefined>,
): Promise<RawAnswer> {
  const stream = rawStream(session, method, headers);
  const answer = rawAnswer(stream);
  stream.end(body);
  return answer;
}
