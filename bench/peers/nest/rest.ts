// Nest with Fastify, over HTTP/1.1 or, with HTTP2=1, over node:http2 without TLS.
import 'reflect-metadata';
import { Body, Controller, Get, Module, NotFoundException, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { CreateUserInput, GetUserInput } from '../../service/bench.dto.js';
import { findUser, makeUser } from '../../service/users.js';
import { pipeline, Public } from './pipeline.js';

@Controller('api/v1')
class UsersController {
  @Get('users/:id')
  @Public()
  getUser(@Param() { id }: GetUserInput): object {
    return userBody(id);
  }

  @Get('accounts/:id')
  getAccount(@Param() { id }: GetUserInput): object {
    return userBody(id);
  }

  @Post('users')
  @Public()
  createUser(@Body() input: CreateUserInput): object {
    return makeUser(input);
  }
}

function userBody(id: string): object {
  const user = findUser(id);
  if (user === undefined) throw new NotFoundException(`user ${id} not found`);
  // As the canonical JSON of protobuf writes it: no fraction where there is none.
  return { ...user, createdAt: user.createdAt.toISOString().replace('.000Z', 'Z') };
}

@Module({ controllers: [UsersController], providers: pipeline })
class RestModule {}

const adapter = process.env['HTTP2'] === '1' ? new FastifyAdapter({ http2: true }) : new FastifyAdapter();
const app = await NestFactory.create<NestFastifyApplication>(RestModule, adapter, { logger: ['error', 'warn'] });
process.on('SIGTERM', () => process.exit());
await app.listen(Number(process.env['PORT']), '127.0.0.1');
