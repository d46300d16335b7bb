import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { Module } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../src/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { GetUserRequestSchema, UserSchema } from '../../src/gen/user/service/v1/user_pb.js';
import { UsersModule } from '../../src/service/users/index.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller, methodOf, pathOf } from '../support/grpc-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { tokens } from '../support/tokens.js';
import { TrialApp, users } from '../support/trial-app.js';
import { TrialModule } from '../support/trial.module.js';
import { TrialService } from '../support/trial-proto.js';

@Module({ imports: [UsersModule, TrialModule] })
class GrpcModule {}

const inspect = methodOf(TrialService, 'Inspect');
const produce = methodOf(TrialService, 'Produce');
const consume = methodOf(TrialService, 'Consume');
const echo = methodOf(TrialService, 'Echo');
const health = { check: methodOf(Health, 'Check'), watch: methodOf(Health, 'Watch') };
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(GrpcModule, { set: { 'users.seed': true } });
});

afterAll(async () => {
  await app.stillServes();
  await eventually('nothing is in flight', () => app.inFlight === 0);
  await app.close();
});

describe('the four modes', () => {
  it('answer a unary call of a plain client', async () => {
    const client = new grpc.Client(app.test.address, grpc.credentials.createInsecure());
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const request = Buffer.from(toBinary(GetUserRequestSchema, fromJsonId('1')));
    client.makeUnaryRequest(
      pathOf(users.get),
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      request,
      (error, bytes) => (error ? reject(error) : resolve(bytes as Buffer)),
    );
    const user = fromBinary(UserSchema, await promise);
    client.close();

    expect(user).toMatchObject({
      id: '1',
      displayName: 'Alice',
      email: 'alice@example.com',
      role: 'developer',
      age: 34,
    });
  });

  it('stream answers in order', async () => {
    const { messages, failure } = await app.caller.call(produce, [{ count: 1000, size: 10 }]);

    expect(failure).toBeUndefined();
    expect(messages.map((message) => (message as { number: number }).number)).toEqual(
      Array.from({ length: 1000 }, (_, index) => index + 1),
    );
  });

  it('take a stream of requests in order', async () => {
    app.state.reset();
    app.state.open();
    const data = Buffer.from('abc').toString('base64');
    const { messages } = await app.caller.call(
      consume,
      Array.from({ length: 1000 }, () => ({ data })),
    );

    expect(messages).toEqual([{ text: '3000', number: 1000 }]);
  });

  it('talk in both directions at once', async () => {
    const { call, ended } = app.caller.open(echo);
    const heard: string[] = [];
    for (const text of ['a', 'b', 'c']) {
      call.write({ text });
      const [answer] = (await once(call, 'data')) as [{ text: string }];
      heard.push(answer.text);
    }
    call.end();

    expect(heard).toEqual(['a', 'b', 'c']);
    expect(await ended).toMatchObject({ failure: undefined });
  });

  it('take nothing for an empty stream', async () => {
    app.state.reset();
    const { messages, failure } = await app.caller.call(consume, []);

    expect([messages, failure]).toEqual([[{ text: '0' }], undefined]);
  });

  it('run side by side on one connection', async () => {
    const calls = await Promise.all(
      Array.from({ length: 200 }, (_, index) => app.caller.call(echo, [{ number: index }])),
    );

    expect(calls.map(({ messages }) => (messages[0] as { number?: number }).number ?? 0)).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    );
  });
});

describe('what travels with a call', () => {
  const seen = async (init: Parameters<GrpcCaller['call']>[2], mode = ''): Promise<Record<string, unknown>> => {
    const { messages } = await app.caller.call(inspect, [{ mode }], init);
    return JSON.parse((messages[0] as { text: string }).text) as Record<string, unknown>;
  };

  it('is the request id of the caller, and comes back', async () => {
    const { messages, header } = await app.caller.call(inspect, [{}], { metadata: { 'x-request-id': 'mine-42' } });

    expect(JSON.parse((messages[0] as { text: string }).text)).toMatchObject({ requestId: 'mine-42' });
    expect(header.get('x-request-id')).toEqual(['mine-42']);
  });

  it('is a request id of our own where the caller has none', async () => {
    const { header } = await app.caller.call(inspect, [{}]);

    expect(header.get('x-request-id')).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  });

  it('is the trace of the caller', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';

    expect(await seen({ metadata: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } })).toMatchObject({ traceId });
  });

  it('is the deadline of the caller, less what has passed', async () => {
    const { remainingMs } = (await seen({ timeoutMs: 5000 })) as { remainingMs: number };

    expect(remainingMs).toBeLessThanOrEqual(5000);
    expect(remainingMs).toBeGreaterThan(1000);
  });

  it('is any metadata', async () => {
    expect(await seen({ metadata: { 'x-colour': 'red' } }, 'x-colour')).toMatchObject({
      header: 'red',
      peer: '127.0.0.1',
    });
  });
});

describe('a failure', () => {
  it('carries reason, domain, metadata, violations and the request id', async () => {
    const { failure } = await app.caller.call(users.create, [{ displayName: 'A', email: 'a', role: 'viewer' }], {
      token: tokens.writer(),
      metadata: { 'x-request-id': 'mine-43' },
    });

    expect(failure).toEqual({
      status: 'INVALID_ARGUMENT',
      message: 'email must be an email',
      reason: 'VALIDATION_FAILED',
      domain: 'rookery',
      violations: [{ field: 'email', description: 'email must be an email', reason: 'IS_EMAIL' }],
      requestId: 'mine-43',
    });
  });

  it('carries what belongs to the reason, and when to try again', async () => {
    const missing = await app.caller.call(users.get, [{ id: '99' }]);
    const later = await app.caller.call(methodOf(TrialService, 'Fail'), [{ mode: 'declared:14' }]);
    const taken = await app.caller.call(
      users.create,
      [{ displayName: 'A', email: 'alice@example.com', role: 'viewer' }],
      { token: tokens.writer() },
    );

    expect(missing.failure).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'USER_NOT_FOUND',
      message: 'user 99 not found',
      metadata: { id: '99' },
    });
    expect(later.failure).toMatchObject({ status: 'UNAVAILABLE', reason: 'TRIAL_UNAVAILABLE', retryAfterMs: 1500 });
    expect(taken.failure).toMatchObject({
      status: 'ALREADY_EXISTS',
      reason: 'USER_EMAIL_TAKEN',
      metadata: { email: 'alice@example.com' },
    });
  });
});

describe('the end of a watch', () => {
  it('comes when the caller cancels, and the watcher is forgotten', async () => {
    const { call, ended } = app.caller.open(users.watch);
    call.write({ includeExisting: true });
    call.end();
    const names: string[] = [];
    for await (const change of call as AsyncIterable<{ user: { displayName: string } }>) {
      names.push(change.user.displayName);
      if (names.length === 3) break;
    }
    call.cancel();

    expect(names).toEqual(['Alice', 'Bob', 'Carol']);
    expect(await ended).toMatchObject({ failure: { status: 'CANCELLED' } });
    await eventually('nothing is in flight', () => app.inFlight === 0);
  });
});

describe('compression', () => {
  it('of requests by gzip is understood', async () => {
    const caller = new GrpcCaller(app.test.address, {
      'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
    });
    app.state.reset();
    app.state.open();
    const data = Buffer.alloc(10_000, 'a').toString('base64');
    const { messages, failure } = await caller.call(consume, [{ data }, { data }]);
    caller.close();

    expect([messages, failure]).toEqual([[{ text: '20000', number: 2 }], undefined]);
  });

  it('of answers is done where it is configured and the caller accepts it', async () => {
    const compressing = await TrialApp.start(undefined, { set: { 'grpc.compression': 'gzip' } });
    const { messages } = await compressing.caller.call(produce, [{ count: 2, size: 10_000 }]);
    const connection = await Http2Caller.connect(compressing.url);
    const headers = { ':method': 'POST', ':path': pathOf(produce), 'content-type': 'application/grpc', te: 'trailers' };
    // Fields count: 1 and size: 10000, behind a prefix.
    const request = Buffer.from([0, 0, 0, 0, 5, 0x10, 1, 0x18, 0x90, 0x4e]);
    const packed = await connection.request({ ...headers, 'grpc-accept-encoding': 'identity,gzip' }, request);
    const plain = await connection.request(headers, request);
    connection.close();
    await compressing.close();

    // grpc-js unpacks by itself and does not tell: the flag before the message does.
    expect([packed.headers['grpc-encoding'], packed.bytes[0]]).toEqual(['gzip', 1]);
    expect([plain.headers['grpc-encoding'], plain.bytes[0]]).toEqual([undefined, 0]);
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 10);
    expect(Buffer.from((messages[1] as { data: string }).data, 'base64')).toEqual(Buffer.alloc(10_000, 7));
  });
});

describe('health', () => {
  it('is told for the process and for each service', async () => {
    const whole = await app.caller.call(health.check, [{}]);
    const unknown = await app.caller.call(health.check, [{ service: 'no.such.Service' }]);

    expect(whole.messages).toEqual([{ status: 'SERVING' }]);
    expect(unknown.failure).toMatchObject({ status: 'NOT_FOUND' });
  });

  it('is watched until the process stops', async () => {
    const stopping = await TrialApp.start(undefined, { set: { 'server.drainDelayMs': 300 } });
    const { call, ended } = stopping.caller.open(health.watch);
    call.write({});
    call.end();
    const seen: unknown[] = [];
    call.on('data', (message) => seen.push(message));
    await eventually('the first status', () => seen.length === 1);
    const closed = stopping.close();
    await eventually('the change', () => seen.length === 2);

    expect(seen).toEqual([{ status: 'SERVING' }, { status: 'NOT_SERVING' }]);
    expect(await ended).toMatchObject({ failure: { status: 'UNAVAILABLE', reason: 'DRAINING' } });
    await closed;
  });
});

describe.each([
  ['v1', ServerReflection],
  ['v1alpha', ServerReflectionAlpha],
])('reflection %s', (_, service) => {
  const info = methodOf(service, 'ServerReflectionInfo');

  it('lists the services and describes a file with all it needs', async () => {
    const { messages } = await app.caller.call(info, [
      { listServices: '' },
      { fileContainingSymbol: 'user.service.v1.UserService' },
      { fileContainingSymbol: 'no.such.Symbol' },
    ]);
    const [list, file, missing] = messages as [
      { listServicesResponse: { service: { name: string }[] } },
      { fileDescriptorResponse: { fileDescriptorProto: string[] } },
      { errorResponse: { errorCode: number } },
    ];
    const names = file.fileDescriptorResponse.fileDescriptorProto.map(
      (bytes) => fromBinary(FileDescriptorProtoSchema, Buffer.from(bytes, 'base64')).name,
    );

    expect(list.listServicesResponse.service.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
        'user.service.v1.UserService',
        'trial.service.v1.TrialService',
      ]),
    );
    expect(names).toContain('user/service/v1/user.proto');
    expect(missing.errorResponse.errorCode).toBe(5);
  });
});

function fromJsonId(id: string): Parameters<typeof toBinary<typeof GetUserRequestSchema>>[1] {
  return { $typeName: 'user.service.v1.GetUserRequest', id };
}
