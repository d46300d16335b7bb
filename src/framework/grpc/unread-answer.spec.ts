import http2 from 'node:http2';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { type GrpcApp, startGrpcApp } from '../../../test/support/grpc-app.js';
import { frame, rawAnswer, rawStream } from '../../../test/support/grpc-calls.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { type RequestEnd, requestEndChannel, Status } from '../core/index.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser(): object {
    return { id: '1' };
  }

  @Rpc()
  async *watchUsers({ includeExisting }: { includeExisting: boolean }) {
    yield { user: { id: '1' } };
    if (!includeExisting) await new Promise(() => {});
  }
}

const { getUser, watchUsers } = UserService.method;
const nothing = frame(Buffer.alloc(0));
const includeExisting = frame(Buffer.from([0x08, 0x01]));

// A client that opens no window: whatever fits into the engine's buffers is never sent.
async function unreading(app: GrpcApp): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`http://${app.address}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => {});
  await new Promise((resolve) => session.once('localSettings', resolve));
  return session;
}

function watchEnds(): Disposable & { readonly ends: RequestEnd[] } {
  const ends: RequestEnd[] = [];
  const unsubscribe = requestEndChannel.subscribe((end) => ends.push(end));
  return { ends, [Symbol.dispose]: unsubscribe };
}

describe('a small answer that its caller does not read', () => {
  it.each([
    ['of a unary call', getUser, nothing, {}],
    ['of a unary call in a compressed exchange', getUser, nothing, { 'grpc-accept-encoding': 'gzip' }],
    ['of a stream that has ended', watchUsers, includeExisting, {}],
    ['of a stream that goes on', watchUsers, nothing, {}],
  ])('is a call at work until the deadline, %s', async (_what, method, request, headers) => {
    await using app = await startGrpcApp({ controllers: [Users], options: { compression: 'gzip' } });
    using watched = watchEnds();
    const session = await unreading(app);
    const stream = rawStream(session, method, { 'grpc-timeout': '200m', ...headers });
    stream.on('error', () => {});
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.end(request);
    await new Promise((resolve) => stream.once('response', resolve));
    await new Promise((resolve) => session.ping(resolve));

    expect(app.grpc.activeCalls).toBe(1);
    expect(app.lifecycle.inFlight).toBe(1);
    expect(watched.ends).toEqual([]);

    await closed;
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_CANCEL);
    expect(app.grpc.activeCalls).toBe(0);
    expect(app.lifecycle.inFlight).toBe(0);
    expect(watched.ends).toMatchObject([{ status: Status.DeadlineExceeded, reason: 'DEADLINE_EXCEEDED' }]);
    session.destroy();
  });

  it('ends with what was answered when it is read in time', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });
    using watched = watchEnds();

    const answer = await rawAnswer(rawStream(app.connect(), getUser, { 'grpc-timeout': '5S' }).end(nothing));

    expect(answer.status).toBe(Status.Ok);
    await expect.poll(() => app.grpc.activeCalls).toBe(0);
    expect(watched.ends).toMatchObject([{ status: Status.Ok, reason: undefined }]);
  });

  it('is over when its caller goes away', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });
    const session = await unreading(app);
    const stream = rawStream(session, getUser);
    stream.on('error', () => {});
    stream.end(nothing);
    await new Promise((resolve) => stream.once('response', resolve));
    expect(app.grpc.activeCalls).toBe(1);

    session.destroy();

    await expect.poll(() => app.lifecycle.inFlight).toBe(0);
  });
});
