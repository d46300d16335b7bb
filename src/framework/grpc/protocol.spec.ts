import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { frame, rawAnswer, rawCall, rawStream, told, unary } from '../../../test/support/grpc-calls.js';
import { ChatService } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { GetUserRequestSchema, UserSchema, UserService } from '../../gen/user/service/v1/user_pb.js';
import { Status } from '../core/index.js';
import { Call } from './call.decorator.js';
import { Metadata } from './metadata.js';
import { Payload } from '@nestjs/microservices';
import { GrpcService, Rpc } from './rpc.decorator.js';
import type { RpcCall } from './rpc-call.js';

const { getUser, listUsers, deleteUser, createUser } = UserService.method;

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser({ id }: { id: string }) {
    return { id, displayName: 'x'.repeat(Number(id)) };
  }

  @Rpc()
  deleteUser(@Payload() _input: object, @Call() call: RpcCall): void {
    const echo = new Metadata();
    for (const value of call.metadata.get('echo-bin')) echo.add('echo-bin', value);
    call.sendMetadata(echo);
    call.trailers.set('said', call.metadata.get('say').join('|'));
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  async upload(entries: AsyncIterable<object>) {
    let accepted = 0n;
    for await (const _ of entries) accepted += 1n;
    return { accepted };
  }
}

const request = (id: string): Buffer => frame(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id })));
const startUsers = () => startGrpcApp({ controllers: [Users, Logs], services: [ChatService] });

describe('gRPC over HTTP/2: the request', () => {
  it('refuses other HTTP methods with 405', async () => {
    await using app = await startUsers();

    const answer = await rawCall(app.connect(), getUser, request('1'), { ':method': 'PUT' });

    expect(answer.headers).toMatchObject({ ':status': 405, allow: 'POST', 'grpc-status': '12' });
  });

  it('refuses a request that ends with its headers', async () => {
    await using app = await startUsers();
    const stream = app.connect().request({ ':path': '/x', 'content-type': 'application/grpc' });

    expect((await rawAnswer(stream)).headers).toMatchObject({ ':status': 405, 'grpc-status': '12' });
  });

  it.each([
    ['/no.such.Service/Method', 'unknown service "no.such.Service"'],
    ['/user.service.v1.UserService/NoSuch', 'unknown method "NoSuch" of service user.service.v1.UserService'],
    [
      '/user.service.v1.UserService/ListUsers',
      'method ListUsers of service user.service.v1.UserService is not implemented',
    ],
    ['/nonsense', 'malformed path "/nonsense" (expected: /package.Service/Method)'],
  ])('tells why %s is UNIMPLEMENTED, in the headers alone', async (path, message) => {
    await using app = await startUsers();

    const answer = await rawCall(app.connect(), path, request('1'));

    expect(answer).toMatchObject({ status: Status.Unimplemented, message, trailers: undefined });
    expect(answer.headers[':status']).toBe(200);
  });

  it('refuses message formats other than protobuf', async () => {
    await using app = await startUsers();

    const answer = await rawCall(app.connect(), getUser, request('1'), { 'content-type': 'application/grpc+json' });

    expect(answer).toMatchObject({ status: Status.Unimplemented });
    expect(answer.message).toContain('application/grpc+json');
  });

  it.each(['application/grpc', 'application/grpc+proto', 'application/grpc;charset=utf-8'])(
    'takes the content type %s',
    async (contentType) => {
      await using app = await startUsers();

      expect(await rawCall(app.connect(), getUser, request('1'), { 'content-type': contentType })).toMatchObject({
        status: Status.Ok,
      });
      expect(app.grpc.handles(contentType)).toBe(true);
    },
  );

  it('does without "te: trailers", as other gRPC servers do', async () => {
    await using app = await startUsers();

    expect(await rawCall(app.connect(), getUser, request('1'), { te: undefined })).toMatchObject({ status: Status.Ok });
  });

  it.each([undefined, 'application/json', 'application/grpc-web', 'application/grpc-web+proto'])(
    'leaves the content type %s to others',
    async (contentType) => {
      await using app = await startUsers();

      expect(app.grpc.handles(contentType)).toBe(false);
    },
  );

  it.each(['1', '10', 'S', '123456789S', '1x', '-1S', ''])('refuses the timeout "%s"', async (timeout) => {
    await using app = await startUsers();

    const answer = await rawCall(app.connect(), getUser, request('1'), { 'grpc-timeout': timeout });

    expect(answer).toMatchObject({ status: Status.Internal, trailers: undefined });
    expect(answer.headers[':status']).toBe(400);
  });

  it('names the compressions it knows when it does not know the one used', async () => {
    await using app = await startUsers();

    const answer = await rawCall(app.connect(), getUser, request('1'), { 'grpc-encoding': 'zstd' });

    expect(answer.headers).toMatchObject({ 'grpc-status': '12', 'grpc-accept-encoding': 'identity,gzip,deflate' });
    expect(answer.message).toContain('"zstd"');
  });

  it('refuses a call while too many wait for their messages, with a time to come back', async () => {
    await using app = await startGrpcApp({ controllers: [Users], limits: { maxWaitingRequests: 1 } });
    const session = app.connect();
    const waiting = rawStream(session, getUser);
    waiting.write(request('1').subarray(0, 3));
    await new Promise((resolve) => session.ping(resolve));

    const answer = await rawCall(session, getUser, request('1'));
    waiting.end(request('1').subarray(3));

    expect(answer.status).toBe(Status.Unavailable);
    const details = Buffer.from(answer.headers['grpc-status-details-bin'] as string, 'base64');
    expect(told(14, '', details)).toMatchObject({
      reason: 'TOO_MANY_WAITING_REQUESTS',
      domain: 'test',
      retryDelaySeconds: 1,
    });
    expect((await rawAnswer(waiting)).status).toBe(Status.Ok);
  });
});

describe('gRPC over HTTP/2: messages', () => {
  it('reads a message however it is split over packets', async () => {
    await using app = await startUsers();
    const stream = rawStream(app.connect(), getUser);
    const answer = rawAnswer(stream);

    for (const byte of request('5'))
      await new Promise<void>((resolve) => stream.write(Buffer.of(byte), () => resolve()));
    stream.end();

    const { body, status } = await answer;
    expect(status).toBe(Status.Ok);
    expect(fromBinary(UserSchema, body.subarray(5)).displayName).toBe('xxxxx');
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const)('reads messages compressed with %s', async (encoding, compress) => {
    await using app = await startUsers();
    const body = frame(compress(request('3').subarray(5)), 1);

    expect(await rawCall(app.connect(), getUser, body, { 'grpc-encoding': encoding })).toMatchObject({
      status: Status.Ok,
    });
    expect(await rawCall(app.connect(), getUser, request('3'), { 'grpc-encoding': encoding })).toMatchObject({
      status: Status.Ok,
    });
  });

  it('stops a decompression bomb at the receive limit', async () => {
    await using app = await startGrpcApp({ controllers: [Users], limits: { maxBodyBytes: 1000 } });
    const bomb = gzipSync(Buffer.alloc(500_000));
    expect(bomb.length).toBeLessThan(1000);

    const answer = await rawCall(app.connect(), getUser, frame(bomb, 1), { 'grpc-encoding': 'gzip' });

    expect(answer).toMatchObject({
      status: Status.ResourceExhausted,
      message: 'request larger than 1000 bytes after decompression',
    });
  });

  it.each([
    ['what is not gzip', frame(Buffer.from('no gzip'), 1), { 'grpc-encoding': 'gzip' }, Status.InvalidArgument],
    ['a compressed message without an encoding', frame(gzipSync(Buffer.alloc(3)), 1), {}, Status.Internal],
    [
      'a compressed message with identity',
      frame(gzipSync(Buffer.alloc(3)), 1),
      { 'grpc-encoding': 'identity' },
      Status.Internal,
    ],
    ['unknown flags', frame(Buffer.alloc(0), 2), {}, Status.InvalidArgument],
    ['half a prefix', Buffer.from([0, 0, 0]), {}, Status.InvalidArgument],
    ['half a message', frame(Buffer.alloc(3), 0, 10), {}, Status.InvalidArgument],
    ['truncated protobuf', frame(Buffer.from([0x08])), {}, Status.InvalidArgument],
    ['no message', Buffer.alloc(0), {}, Status.Unimplemented],
    ['two messages', Buffer.concat([request('1'), request('2')]), {}, Status.Unimplemented],
  ] as const)('refuses %s', async (_case, body, headers, status) => {
    await using app = await startUsers();

    const answer = await rawCall(app.connect(), getUser, body, headers);

    expect(answer).toMatchObject({ status, trailers: undefined });
  });

  it('refuses half a message in a stream, after those before it', async () => {
    await using app = await startUsers();
    const body = Buffer.concat([frame(Buffer.alloc(0)), frame(Buffer.alloc(3), 0, 10)]);

    const answer = await rawCall(app.connect(), LogService.method.upload, body);

    expect(answer).toMatchObject({
      status: Status.InvalidArgument,
      message: 'malformed request message: the request ends in the middle of a message',
    });
  });

  it('refuses text that is not UTF-8', async () => {
    await using app = await startUsers();
    const body = frame(Buffer.from([0x0a, 0x02, 0xc3, 0x28]));

    const answer = await rawCall(app.connect(), LogService.method.upload, body);

    expect(answer).toMatchObject({
      status: Status.InvalidArgument,
      message: 'malformed request message: not a valid log.service.v1.LogEntry',
    });
  });

  it('refuses a large message by its prefix, before its bytes come', async () => {
    await using app = await startGrpcApp({ controllers: [Users, Logs], limits: { maxBodyBytes: 1000 } });
    const session = app.connect();

    for (const method of [getUser, LogService.method.upload]) {
      const stream = rawStream(session, method);
      const answer = rawAnswer(stream);
      stream.write(frame(Buffer.alloc(0), 0, 4_000_000_000));

      expect(await answer).toMatchObject({
        status: Status.ResourceExhausted,
        message: 'request larger than 1000 bytes: 4000000000',
        resetCode: 0,
      });
    }
  });

  it('refuses to send more than the send limit', async () => {
    await using app = await startGrpcApp({ controllers: [Users], options: { maxSendBytes: 100 } });

    expect(await rawCall(app.connect(), getUser, request('101'))).toMatchObject({ status: Status.ResourceExhausted });
    expect(await rawCall(app.connect(), getUser, request('50'))).toMatchObject({ status: Status.Ok });
  });

  it('compresses answers for who takes them so', async () => {
    await using app = await startGrpcApp({
      controllers: [Users],
      options: { compression: 'gzip', compressionMinBytes: 100 },
    });
    const session = app.connect();

    const large = await rawCall(session, getUser, request('1000'), { 'grpc-accept-encoding': 'identity, gzip' });
    const small = await rawCall(session, getUser, request('10'), { 'grpc-accept-encoding': 'identity, gzip' });
    const plain = await rawCall(session, getUser, request('1000'));

    expect(large.headers['grpc-encoding']).toBe('gzip');
    expect(large.body[0]).toBe(1);
    expect(fromBinary(UserSchema, gunzipSync(large.body.subarray(5))).displayName).toHaveLength(1000);
    expect(small.body[0]).toBe(0);
    expect(plain.headers['grpc-encoding']).toBeUndefined();
    expect(plain.body[0]).toBe(0);
    expect([large.status, small.status, plain.status]).toEqual([0, 0, 0]);
  });
});

describe('gRPC over HTTP/2: the answer', () => {
  it('sends no message with OK', async () => {
    await using app = await startUsers();

    const { trailers } = await rawCall(app.connect(), getUser, request('1'));

    expect(trailers).toMatchObject({ 'grpc-status': '0' });
    expect(trailers).not.toHaveProperty('grpc-message');
  });

  it('keeps the request id of the caller, and tells it with a failure', async () => {
    await using app = await startUsers();
    const session = app.connect();

    expect((await rawCall(session, getUser, request('1'), { 'x-request-id': 'mine' })).headers['x-request-id']).toBe(
      'mine',
    );
    const failed = await rawCall(session, listUsers, request('1'), { 'x-request-id': 'mine' });
    const details = Buffer.from(failed.headers['grpc-status-details-bin'] as string, 'base64');
    expect(told(12, '', details)).toMatchObject({ requestId: 'mine', reason: 'RPC_NOT_FOUND' });
  });

  it('takes binary metadata with and without padding, joined or not, and sends it without', async () => {
    await using app = await startUsers();

    const { headers, trailers } = await rawCall(app.connect(), deleteUser, frame(Buffer.alloc(0)), {
      'echo-bin': 'AA==,AAE,/+8=',
      say: 'hello',
    });

    expect((headers['echo-bin'] as string).split(', ')).toEqual(['AA', 'AAE', '/+8']);
    expect(trailers).toMatchObject({ 'grpc-status': '0', said: 'hello' });
  });

  it.each(['A', '_-8=', 'AAE==', 'a b', 'AA=A'])(
    'fails a handler that asks for the malformed binary value "%s"',
    async (value) => {
      await using app = await startUsers();
      const session = app.connect();

      const answer = await rawCall(session, deleteUser, frame(Buffer.alloc(0)), { 'echo-bin': value });

      expect(answer).toMatchObject({ status: Status.Internal, message: 'metadata "echo-bin" is not base64' });
      expect((await rawCall(session, getUser, request('1'), { 'echo-bin': value })).status).toBe(Status.Ok);
    },
  );

  it('tells a caller that still sends that nobody listens', async () => {
    await using app = await startUsers();
    const stream = rawStream(app.connect(), createUser);
    const answer = rawAnswer(stream);
    stream.write(Buffer.alloc(5));

    expect(await answer).toMatchObject({ status: Status.Unimplemented, resetCode: 0 });
  });

  it('works over a real client', async () => {
    await using app = await startUsers();

    expect((await unary(app.client, getUser, { id: '4' })).value.displayName).toBe('xxxx');
  });
});
