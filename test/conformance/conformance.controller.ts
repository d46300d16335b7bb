import { setTimeout as delay } from 'node:timers/promises';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { Controller } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { currentContext, parseGrpcTimeout, type Status } from 'rookery/core';
import { GrpcService, Metadata, type RpcCall, Rpc, StatusError } from 'rookery/grpc';
import { messageType, serviceType } from './descriptors.js';
import type {
  ErrorDefinition,
  Header,
  Payload,
  RequestInfo,
  StreamRequest,
  StreamResponseDefinition,
  UnaryRequest,
  UnaryResponseDefinition,
} from './messages.js';

const types = {
  unary: messageType('UnaryRequest'),
  idempotentUnary: messageType('IdempotentUnaryRequest'),
  clientStream: messageType('ClientStreamRequest'),
  serverStream: messageType('ServerStreamRequest'),
  bidiStream: messageType('BidiStreamRequest'),
  requestInfo: messageType('ConformancePayload.RequestInfo'),
};

/** The service that the suite calls: what each answer is to be stands in the request. */
@Controller()
@Public()
@GrpcService(serviceType('ConformanceService'))
export class ConformanceController {
  @Rpc()
  unary(request: UnaryRequest, _metadata: Metadata, call: RpcCall): Promise<Payload> {
    return answerOnce(request.responseDefinition, [pack(types.unary, request)], call);
  }

  @Rpc()
  idempotentUnary(request: UnaryRequest, _metadata: Metadata, call: RpcCall): Promise<Payload> {
    return answerOnce(request.responseDefinition, [pack(types.idempotentUnary, request)], call);
  }

  @Rpc()
  async clientStream(requests: AsyncIterable<UnaryRequest>, _metadata: Metadata, call: RpcCall): Promise<Payload> {
    const received: Any[] = [];
    let definition: UnaryResponseDefinition | undefined;
    for await (const request of requests) {
      if (received.length === 0) definition = request.responseDefinition;
      received.push(pack(types.clientStream, request));
    }
    return answerOnce(definition, received, call);
  }

  @Rpc()
  async *serverStream(request: StreamRequest, _metadata: Metadata, call: RpcCall): AsyncIterable<Payload> {
    const { responseDefinition: definition } = request;
    if (definition === undefined) return;
    const received = [pack(types.serverStream, request)];
    announce(definition, call);
    for (const [index, data] of definition.responseData.entries()) {
      await delay(definition.responseDelayMs);
      yield { payload: { data, ...(index === 0 && { requestInfo: infoOf(call, received) }) } };
    }
    if (definition.error !== undefined) {
      throw errorOf(definition.error, definition.responseData.length === 0 ? infoOf(call, received) : undefined);
    }
  }

  @Rpc()
  async *bidiStream(
    requests: AsyncIterable<StreamRequest>,
    _metadata: Metadata,
    call: RpcCall,
  ): AsyncIterable<Payload> {
    let definition: StreamResponseDefinition | undefined;
    let isFullDuplex = false;
    let isFirst = true;
    let sent = 0;
    let received: Any[] = [];
    for await (const request of requests) {
      received.push(pack(types.bidiStream, request));
      if (isFirst) {
        definition = request.responseDefinition;
        isFullDuplex = request.fullDuplex === true;
        isFirst = false;
        if (definition !== undefined && isFullDuplex) announce(definition, call);
      }
      if (!isFullDuplex) continue;
      const data = definition?.responseData[sent];
      if (definition === undefined || data === undefined) break;
      await delay(definition.responseDelayMs);
      yield { payload: { data, requestInfo: sent === 0 ? infoOf(call, received) : { requests: received } } };
      sent += 1;
      received = [];
    }
    if (definition === undefined) return;
    announce(definition, call);
    for (; sent < definition.responseData.length; sent += 1) {
      const data = definition.responseData[sent] as Uint8Array;
      await delay(definition.responseDelayMs);
      yield { payload: { data, ...(sent === 0 && { requestInfo: infoOf(call, received) }) } };
    }
    if (definition.error !== undefined) {
      throw errorOf(definition.error, sent === 0 ? infoOf(call, received) : undefined);
    }
  }
}

async function answerOnce(
  definition: UnaryResponseDefinition | undefined,
  received: readonly Any[],
  call: RpcCall,
): Promise<Payload> {
  const requestInfo = infoOf(call, received);
  if (definition === undefined) return { payload: { requestInfo } };
  await delay(definition.responseDelayMs);
  const { response } = definition;
  addAll(call.trailers, definition.responseTrailers);
  if (definition.responseHeaders.length > 0) call.sendMetadata(metadataOf(definition.responseHeaders));
  if (response.case === 'error') throw errorOf(response.value, requestInfo);
  return { payload: { requestInfo, ...(response.case === 'responseData' && { data: response.value }) } };
}

/** Sends the headers before the first message, and keeps the trailers for the end. A second call changes nothing. */
function announce(definition: StreamResponseDefinition, call: RpcCall): void {
  if (Object.keys(call.trailers.getMap()).length === 0) addAll(call.trailers, definition.responseTrailers);
  // An error without a message before it is an answer of trailers only, unless there are headers to send.
  if (definition.responseData.length > 0 || definition.responseHeaders.length > 0) {
    call.sendMetadata(metadataOf(definition.responseHeaders));
  }
}

function infoOf(call: RpcCall, requests: readonly Any[]): RequestInfo {
  const timeout = currentContext()?.header('grpc-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseGrpcTimeout(timeout);
  const requestHeaders = Object.entries(call.metadata.toJSON()).map(([name, values]) => ({
    name,
    value: values.map((value) => (typeof value === 'string' ? value : value.toString('base64'))),
  }));
  return { requestHeaders, requests, ...(timeoutMs !== undefined && { timeoutMs: BigInt(Math.floor(timeoutMs)) }) };
}

function errorOf({ code, message, details }: ErrorDefinition, info: RequestInfo | undefined): StatusError {
  const all = [...details, ...(info === undefined ? [] : [pack(types.requestInfo, info)])];
  return new StatusError(code as Status, message ?? '', all);
}

function pack(type: DescMessage, value: object): Any {
  return anyPack(type, create(type, value as MessageInitShape<DescMessage>));
}

function metadataOf(headers: readonly Header[]): Metadata {
  const metadata = new Metadata();
  addAll(metadata, headers);
  return metadata;
}

function addAll(metadata: Metadata, headers: readonly Header[]): void {
  for (const { name, value: values } of headers) {
    for (const value of values) {
      metadata.add(name, name.toLowerCase().endsWith('-bin') ? Buffer.from(value, 'base64') : value);
    }
  }
}
