import { once } from 'node:events';
import { connect } from 'node:http2';
import { Controller, NotFoundException } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { failureOf, serverStream, unary } from '../../../test/support/grpc-calls.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { requestFaultChannel, RookeryError, Status } from '../core/index.js';
import { ValidationError } from '../pipeline/index.js';
import { Call } from './call.decorator.js';
import { Metadata } from './metadata.js';
import type { RpcCall } from './rpc-call.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

class NoSuchUserError extends RookeryError {
  static override readonly reason = 'NO_SUCH_USER';
  static override readonly status = Status.NotFound;
  constructor(id: string) {
    super(`no user „${id}“ 100%`, { metadata: { id }, retryAfterMs: 1500 });
  }
}

const throws: Record<string, () => unknown> = {
  '1': () => new NoSuchUserError('1'),
  '2': () => 'a string with secrets',
  '3': () => undefined,
  '4': () => new Error('secret text'),
  '5': () => new NotFoundException('nothing here'),
  '6': () => new RpcException({ code: 9, message: 'not now' }),
  '7': () => ({ code: 6, details: 'from a filter' }),
  '8': () =>
    new ValidationError([
      { field: 'items[2].name', rule: 'isEmail', message: 'items[2].name must be an email' },
      { field: 'age', rule: 'max', message: 'age must not be greater than 150' },
    ]),
  '9': () =>
    new ValidationError(
      Array.from({ length: 5000 }, (_, index) => ({
        field: `items[${index}].name`,
        rule: 'isString',
        message: 'must be a string',
      })),
    ),
};

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser(@Payload() { id }: { id: string }, @Call() call: RpcCall): Promise<{ id: string }> {
    if (id === '9') call.trailers.set('x-own', 'o'.repeat(100));
    throw throws[id]?.();
  }

  @Rpc()
  async updateUser(): Promise<{ id: string }> {
    return { age: 'old' } as unknown as { id: string };
  }

  @Rpc()
  async *watchUsers() {
    yield { user: { id: '1' } };
    throw new NoSuchUserError('2');
  }
}

const start = () => startGrpcApp({ controllers: [Users] });
const { getUser, updateUser, watchUsers } = UserService.method;

describe('a call that fails', () => {
  it('tells reason, metadata, delay and request id of an error of the family', async () => {
    await using app = await start();

    expect(await failureOf(unary(app.client, getUser, { id: '1' }))).toEqual({
      code: Status.NotFound,
      details: 'no user „1“ 100%',
      reason: 'NO_SUCH_USER',
      domain: 'test',
      metadata: { id: '1' },
      violations: [],
      retryDelaySeconds: 1.5,
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it.each(['2', '3', '4'])('tells nothing of an undeclared error (%s), but reports it', async (id) => {
    await using app = await start();
    const faults: unknown[] = [];
    using _ = { [Symbol.dispose]: requestFaultChannel.subscribe(({ error }) => faults.push(error)) };

    const failure = await failureOf(unary(app.client, getUser, { id }));

    expect(failure).toMatchObject({ code: Status.Internal, details: 'internal error', reason: 'INTERNAL' });
    expect(JSON.stringify(failure)).not.toContain('secret');
    expect(faults).toEqual([throws[id]?.()]);
  });

  it.each([
    ['5', Status.NotFound, 'nothing here'],
    ['6', Status.FailedPrecondition, 'not now'],
    ['7', Status.AlreadyExists, 'from a filter'],
  ])('understands the errors of Nest (%s)', async (id, code, details) => {
    await using app = await start();

    expect(await failureOf(unary(app.client, getUser, { id }))).toMatchObject({ code, details });
  });

  it('names the wrong fields', async () => {
    await using app = await start();

    expect((await failureOf(unary(app.client, getUser, { id: '8' }))).violations).toEqual([
      { field: 'items[2].name', description: 'items[2].name must be an email', reason: 'IS_EMAIL' },
      { field: 'age', description: 'age must not be greater than 150', reason: 'MAX' },
    ]);
  });

  it('names 32 wrong fields at most, which the metadata of a client can take', async () => {
    await using app = await start();

    const { violations } = await failureOf(unary(app.client, getUser, { id: '9' }));

    expect(violations).toHaveLength(32);
  });

  it.each([
    ['all of it', Number.MAX_SAFE_INTEGER, true, true],
    ['fewer details', 1500, true, true],
    ['no details', 600, false, true],
    ['neither details nor trailers of its own', 400, false, false],
  ])('has %s where a client reads %d bytes of fields, and always its status', async (_what, room, details, own) => {
    await using app = await start();
    const maxHeaderListSize = Math.min(room, 0xffff_ffff);
    const session = connect(`http://${app.address}`, { settings: { maxHeaderListSize } });
    const call = session.request({
      ':method': 'POST',
      ':path': '/user.service.v1.UserService/GetUser',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.end(Buffer.from([0, 0, 0, 0, 2, 8, 9]));

    const [headers] = (await once(call, 'response')) as [Record<string, string>];
    session.destroy();

    const message = 'must be a string (and more than 31 more, of which 31 are reported)';
    expect(headers).toMatchObject({ 'grpc-status': '3', 'grpc-message': own ? message : message.slice(0, 33) });
    expect(['grpc-status-details-bin' in headers, 'x-own' in headers]).toEqual([details, own]);
  });

  it('is INTERNAL when the handler gives what its message cannot hold', async () => {
    await using app = await start();

    expect(await failureOf(unary(app.client, updateUser, {}))).toMatchObject({
      code: Status.Internal,
      details: 'internal error',
    });
  });

  it('has its messages sent before its error', async () => {
    await using app = await start();
    const stream = serverStream(app.client, watchUsers, {});
    const ids: (string | undefined)[] = [];
    stream.on('data', ({ user }) => ids.push(user?.id));

    const [error] = (await once(stream, 'error')) as [{ code: number }];

    expect(ids).toEqual(['1']);
    expect(error.code).toBe(Status.NotFound);
  });
});

describe('metadata that HTTP does not allow', () => {
  it.each(['headers', 'trailers'])('fails the call and nothing else (%s)', async (where) => {
    @Controller()
    @GrpcService(UserService)
    class Careless {
      @Rpc()
      deleteUser(@Payload() _input: object, @Call() call: RpcCall): void {
        const metadata = where === 'headers' ? new Metadata() : call.trailers;
        // What `add` lets pass can be carried; whoever goes round it is stopped by the engine.
        metadata.writeTo = (fields) => fields.push({ name: 'upgrade', value: 'h2c' });
        if (where === 'headers') call.sendMetadata(metadata);
      }
      @Rpc()
      getUser(): object {
        return {};
      }
    }
    await using app = await startGrpcApp({ controllers: [Careless] });

    expect(await failureOf(unary(app.client, UserService.method.deleteUser, {}))).toMatchObject({
      code: Status.Internal,
    });
    expect((await unary(app.client, getUser, {})).value.id).toBe('0');
  });
});
