import { connect } from 'node:net';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Module, type Type } from '@nestjs/common';
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../src/gen/grpc/reflection/v1/reflection_pb.js';
import type { Ended, GrpcCaller } from './grpc-caller.js';

/** Both versions have the same messages; only the name of the package differs. */
export const reflectionServices = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

/** An application without a route or RPC of its own. */
export const emptyApplication: Type = emptyModule();

function emptyModule(): Type {
  class EmptyModule {}
  Module({})(EmptyModule);
  return EmptyModule;
}

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']>;

/** Asks reflection on one stream. */
export function reflect(
  caller: GrpcCaller,
  service: string,
  questions: readonly Question[],
  token?: string,
): Promise<Ended> {
  const messages = questions.map((messageRequest) =>
    toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest })),
  );
  return caller.callBytes(`/${service}/ServerReflectionInfo`, messages, { token });
}

/** The names in the first answer to `listServices`. */
export function listed({ messages: [first] }: Ended): string[] {
  const { messageResponse } = fromBinary(ServerReflectionResponseSchema, Buffer.from(String(first), 'base64'));
  if (messageResponse.case !== 'listServicesResponse') throw new Error(`answered by ${messageResponse.case}`);
  return messageResponse.value.service.map(({ name }) => name);
}

/** Whether a TCP connection to an address succeeds. */
export function connects(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  socket.on('connect', () => resolve(true));
  socket.on('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
