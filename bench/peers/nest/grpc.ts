// Nest's own gRPC transport: grpc-js with proto-loader.
import 'reflect-metadata';
import { Controller, Module, NotFoundException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, type GrpcOptions, Transport } from '@nestjs/microservices';
import { map, type Observable, range } from 'rxjs';
import { ChunkInput, CreateUserInput, GetUserInput, StreamInput } from '../../service/bench.dto.js';
import { findUser, kibibyte, makeUser } from '../../service/users.js';
import { pipeline, Public } from './pipeline.js';

@Controller()
class UsersController {
  @GrpcMethod('BenchService', 'GetUser')
  @Public()
  getUser({ id }: GetUserInput): object {
    return userMessage(id);
  }

  @GrpcMethod('BenchService', 'GetAccount')
  getAccount({ id }: GetUserInput): object {
    return userMessage(id);
  }

  @GrpcMethod('BenchService', 'CreateUser')
  @Public()
  createUser(input: CreateUserInput): object {
    return makeUser(input);
  }

  @GrpcMethod('BenchService', 'Stream')
  @Public()
  stream({ count }: StreamInput): Observable<object> {
    return range(0, count).pipe(map(() => ({ payload: kibibyte })));
  }

  @GrpcMethod('BenchService', 'Echo')
  @Public()
  echo({ payload }: ChunkInput): object {
    return { payload };
  }
}

function userMessage(id: string): object {
  const user = findUser(id);
  if (user === undefined) throw new NotFoundException(`user ${id} not found`);
  const ms = user.createdAt.getTime();
  return { ...user, createdAt: { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 } };
}

@Module({ controllers: [UsersController], providers: pipeline })
class GrpcModule {}

const options: GrpcOptions = {
  transport: Transport.GRPC,
  options: {
    url: `127.0.0.1:${process.env['PORT']}`,
    package: 'bench.v1',
    protoPath: 'bench/proto/bench/v1/bench.proto',
    loader: { longs: String, defaults: true },
    channelOptions: { 'grpc.enable_channelz': 0 },
    maxReceiveMessageLength: 1 << 20,
  },
};
const app = await NestFactory.createMicroservice<GrpcOptions>(GrpcModule, { ...options, logger: ['error', 'warn'] });
process.on('SIGTERM', () => process.exit());
await app.listen();
