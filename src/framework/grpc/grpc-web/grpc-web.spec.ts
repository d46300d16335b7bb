import { gunzipSync, gzipSync } from 'node:zlib';
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.js';
import { type GrpcApp, type GrpcAppInit, startGrpcApp } from '../../../../test/support/grpc-app.js';
import { frame, told } from '../../../../test/support/grpc-calls.js';
import {
  callWeb,
  openWeb,
  readWeb,
  textFrame,
  type WebAnswer,
  type WebRequest,
  type WebVersion,
} from '../../../../test/support/grpc-web-caller.js';
import { LogEntrySchema, LogService, UploadSummarySchema } from '../../../gen/log/service/v1/log_pb.js';
import {
  GetUserRequestSchema,
  UserSchema,
  UserService,
  WatchUsersRequestSchema,
} from '../../../gen/user/service/v1/user_pb.js';
import { currentContext, RookeryError, Status } from '../../core/index.js';
import { Metadata } from '../metadata.js';
import type { RpcCall } from '../rpc-call.js';
import { GrpcService, Rpc } from '../rpc.decorator.js';

class UserNotFoundError extends RookeryError {
  static override readonly reason = 'USER_NOT_FOUND';
  static override readonly status = Status.NotFound;
}

// Users whose handler never answers, and who does not exist.
const waiting = '98';
const missing = '99';

const seen = { operation: '', face: '', timeoutMs: 0, cancelled: 0, produced: 0, isReturned: false };
let release = Promise.withResolvers<void>();

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  async getUser({ id }: { id: string }, metadata: Metadata, call: RpcCall) {
    const context = currentContext();
    Object.assign(seen, { operation: context?.operation, face: context?.face, timeoutMs: context?.deadline.timeoutMs });
    if (id === waiting) {
      call.on('cancelled', () => (seen.cancelled += 1));
      await new Promise(() => {});
    }
    if (id === missing) throw new UserNotFoundError('Benutzer fehlt: ü', { metadata: { id } });
    const headers = new Metadata();
    headers.set('said', metadata.get('say').join('|'));
    call.sendMetadata(headers);
    call.trailers.set('token-bin', Buffer.from([1, 2, 3, 255]));
    return { id, displayName: 'x'.repeat(2000) };
  }

  @Rpc()
  async *watchUsers({ includeExisting }: { includeExisting: boolean }) {
    if (includeExisting) {
      for (let id = 1; id <= 3; id += 1) yield { user: { id: String(id) } };
      throw new UserNotFoundError('no fourth');
    }
    try {
      for (seen.produced = 0; seen.produced < 200_000; seen.produced += 1)
        yield { user: { displayName: 'x'.repeat(1024) } };
    } finally {
      seen.isReturned = true;
    }
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  async upload(entries: AsyncIterable<{ message: string }>) {
    let accepted = 0n;
    for await (const { message } of entries) {
      if (accepted === 0n && message === 'wait') await release.promise;
      accepted += 1n;
    }
    return { accepted };
  }
}

const pathOf = (method: { parent: { typeName: string }; name: string }): string =>
  `/${method.parent.typeName}/${method.name}`;
const getUserPath = pathOf(UserService.method.getUser);
const watchUsersPath = pathOf(UserService.method.watchUsers);
const uploadPath = pathOf(LogService.method.upload);
const binary = { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' };
const text = { 'content-type': 'application/grpc-web-text', 'x-grpc-web': '1' };

function bytesOf<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Uint8Array {
  return toBinary(schema, create(schema, init));
}
const user = (id: string): Uint8Array => bytesOf(GetUserRequestSchema, { id });
const entry = (message: string): Uint8Array => bytesOf(LogEntrySchema, { message });

const start = (init: GrpcAppInit = {}) => startGrpcApp({ controllers: [Users, Logs], ...init });

/** Waits until a number has not changed for a while. */
async function settled(what: string, read: () => number): Promise<number> {
  let before = -1;
  let unchanged = 0;
  await eventually(what, () => {
    unchanged = read() === before && before > 0 ? unchanged + 1 : 0;
    before = read();
    return unchanged > 20;
  });
  return before;
}

describe.each<WebVersion>(['HTTP/1.1', 'HTTP/2'])('gRPC-Web on %s', (version) => {
  const addressOf = (app: GrpcApp): string => (version === 'HTTP/1.1' ? app.http1Address : app.address);
  const ask = (app: GrpcApp, request: WebRequest): Promise<WebAnswer> => callWeb(version, addressOf(app), request);
  const getUser = (app: GrpcApp, id: string, headers: Record<string, string> = {}): Promise<WebAnswer> =>
    ask(app, { path: getUserPath, headers: { ...binary, ...headers }, chunks: [frame(user(id))] });

  it('answers a unary call, the trailers in the last frame', async () => {
    await using app = await start();

    const { status, headers, messages, trailers } = await getUser(app, '7', { say: 'hello', 'grpc-timeout': '5S' });

    expect([status, headers['content-type'], headers['said']]).toEqual([200, 'application/grpc-web+proto', 'hello']);
    expect(messages.map(({ data }) => fromBinary(UserSchema, data).id)).toEqual(['7']);
    expect(trailers).toEqual({ 'grpc-status': '0', 'token-bin': 'AQID/w' });
    expect(seen).toMatchObject({
      operation: 'user.service.v1.UserService/GetUser',
      face: 'grpc',
      timeoutMs: 5000,
    });
  });

  it('answers in text to a text request, however that is split and padded', async () => {
    await using app = await start();
    // Two messages are one too many for a unary call, so this is a stream: each is padded on its own.
    const body = Buffer.concat([textFrame(entry('a')), textFrame(entry('bc')), textFrame(entry('def'))]);
    expect(body.toString('latin1').slice(0, -4)).toContain('=');

    const { headers, messages, raw, grpcStatus } = await ask(app, {
      path: uploadPath,
      headers: text,
      chunks: [...body].map((byte) => Buffer.from([byte])),
    });

    expect(headers['content-type']).toBe('application/grpc-web-text');
    expect(raw.toString('latin1')).toMatch(/^[A-Za-z0-9+/=]+$/);
    expect(messages.map(({ data }) => fromBinary(UploadSummarySchema, data).accepted)).toEqual([3n]);
    expect(grpcStatus).toBe(0);
  });

  it('answers in the form that is asked for', async () => {
    await using app = await start();

    const { headers, messages } = await getUser(app, '7', { accept: 'application/grpc-web-text+proto' });

    expect(headers['content-type']).toBe('application/grpc-web-text+proto');
    expect(messages).toHaveLength(1);
  });

  it('gives each message of a text stream so that it can be decoded at once', async () => {
    await using app = await start();
    const call = openWeb(version, addressOf(app), { path: watchUsersPath, headers: text });
    call.body.end(textFrame(bytesOf(WatchUsersRequestSchema, { includeExisting: true })));

    const { messages, trailers } = await readWeb(call);

    expect(messages).toHaveLength(3);
    expect(trailers).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'no fourth' });
  });

  it('refuses a text body that is no base64', async () => {
    await using app = await start();
    const unary = await ask(app, { path: getUserPath, headers: text, chunks: [Buffer.from('AAAA*AAA')] });
    const streamed = await ask(app, { path: uploadPath, headers: text, chunks: [Buffer.from('A')] });

    for (const { status, headers } of [unary, streamed]) {
      expect(status).toBe(200);
      expect(headers).toMatchObject({
        'grpc-status': '3',
        'grpc-message': 'malformed request message: the body is not base64',
      });
    }
  });

  it('tells a failure before the first message in the headers, with status 200 and its details', async () => {
    await using app = await start();

    const { status, headers, raw } = await getUser(app, missing, { 'x-request-id': 'web-1' });
    const details = Buffer.from(headers['grpc-status-details-bin'] ?? '', 'base64');

    expect(status).toBe(200);
    expect(raw).toHaveLength(0);
    expect(headers['content-type']).toBe('application/grpc-web+proto');
    expect(told(Number(headers['grpc-status']), decodeURIComponent(headers['grpc-message'] ?? ''), details)).toEqual(
      expect.objectContaining({
        code: Status.NotFound,
        details: 'Benutzer fehlt: ü',
        reason: 'USER_NOT_FOUND',
        metadata: { id: missing },
        requestId: 'web-1',
      }),
    );
  });

  it('tells a failure after messages in the last frame', async () => {
    await using app = await start();

    const { messages, trailers } = await ask(app, {
      path: watchUsersPath,
      headers: binary,
      chunks: [frame(bytesOf(WatchUsersRequestSchema, { includeExisting: true }))],
    });

    expect(messages).toHaveLength(3);
    expect(trailers).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'no fourth' });
    expect(trailers?.['grpc-status-details-bin']).toMatch(/^[A-Za-z0-9+/]+$/);
  });

  it('takes and gives compressed messages', async () => {
    await using app = await start({ options: { compression: 'gzip', compressionMinBytes: 100 } });

    const { headers, messages, trailers } = await ask(app, {
      path: getUserPath,
      headers: { ...binary, 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip' },
      chunks: [frame(gzipSync(user('7')), 1)],
    });

    expect(headers['grpc-encoding']).toBe('gzip');
    expect(messages.map(({ flags }) => flags)).toEqual([1]);
    expect(fromBinary(UserSchema, gunzipSync(messages[0]?.data ?? Buffer.alloc(0))).id).toBe('7');
    expect(trailers?.['grpc-status']).toBe('0');
  });

  it.each([
    ['a message larger than allowed', {}, frame(Buffer.alloc(2000)), Status.ResourceExhausted],
    ['a truncated message', {}, frame(user('7')).subarray(0, 6), Status.InvalidArgument],
    ['no message', {}, Buffer.alloc(0), Status.Unimplemented],
    ['another codec', { 'content-type': 'application/grpc-web+json' }, frame(user('7')), Status.Unimplemented],
    ['an unknown compression', { 'grpc-encoding': 'br' }, frame(user('7')), Status.Unimplemented],
  ])('refuses %s as gRPC does, with HTTP status 200', async (_, headers, body, code) => {
    await using app = await start({ limits: { maxBodyBytes: 1000 } });

    const answer = await ask(app, { path: getUserPath, headers: { ...binary, ...headers }, chunks: [body] });

    expect([answer.status, answer.grpcStatus]).toEqual([200, code]);
  });

  it('refuses a malformed timeout as gRPC does, with HTTP status 400', async () => {
    await using app = await start();

    const answer = await ask(app, {
      path: getUserPath,
      headers: { ...binary, 'grpc-timeout': 'soon' },
      chunks: [frame(user('7'))],
    });

    expect([answer.status, answer.grpcStatus]).toEqual([400, Status.Internal]);
  });

  it('refuses other methods with 405', async () => {
    await using app = await start();

    const { status, headers } = await ask(app, { method: 'DELETE', path: getUserPath, headers: binary });

    expect([status, headers['allow'], headers['grpc-status']]).toEqual([405, 'POST', '12']);
  });

  it('ends a call at its deadline', async () => {
    await using app = await start();

    const { status, headers } = await getUser(app, waiting, { 'grpc-timeout': '50m' });

    expect([status, headers['grpc-status']]).toEqual([200, '4']);
  });

  it('cancels the call of a caller who goes away', async () => {
    await using app = await start();
    const before = seen.cancelled;
    const call = openWeb(version, addressOf(app), { path: getUserPath, headers: binary });
    call.body.end(frame(user(waiting)));
    await eventually('the call is at work', () => app.lifecycle.inFlight === 1);

    call.abort();

    await eventually('the call is over', () => app.lifecycle.inFlight === 0 && app.grpc.activeCalls === 0);
    expect(seen.cancelled).toBe(before + 1);
  });

  it('makes no more than the caller reads, and stops when the caller goes away', { timeout: 20_000 }, async () => {
    await using app = await start();
    seen.isReturned = false;
    const call = openWeb(version, addressOf(app), { path: watchUsersPath, headers: binary });
    call.body.end(frame(bytesOf(WatchUsersRequestSchema, {})));
    await call.head;

    const produced = await settled('the producer waits', () => seen.produced);
    expect(produced).toBeLessThan(50_000);

    (await call.stream).resume();
    await eventually('the producer goes on', () => seen.produced > produced + 100);
    call.abort();
    await eventually('the producer is told', () => seen.isReturned);
  });

  it('takes no more than the handler reads', { timeout: 20_000 }, async () => {
    await using app = await start();
    release = Promise.withResolvers<void>();
    const call = openWeb(version, addressOf(app), { path: uploadPath, headers: binary });
    const part = frame(entry('x'.repeat(65_536)));
    const total = 1000;
    let sent = 0;
    call.body.write(frame(entry('wait')));
    const write = (): void => {
      while (sent < total) {
        sent += 1;
        if (!call.body.write(part)) return;
      }
      call.body.end();
    };
    call.body.on('drain', write);
    write();

    expect(await settled('the caller waits', () => sent)).toBeLessThan(total / 2);

    release.resolve();
    const { messages, grpcStatus } = await readWeb(call);
    expect(grpcStatus).toBe(0);
    expect(fromBinary(UploadSummarySchema, messages[0]?.data ?? Buffer.alloc(0)).accepted).toBe(BigInt(total + 1));
  });

  it('answers early, and serves the next call', async () => {
    await using app = await start({ limits: { maxBodyBytes: 1000 } });
    const call = openWeb(version, addressOf(app), { path: uploadPath, headers: binary });
    call.body.write(frame(entry('x'.repeat(2000))));

    const { headers } = await readWeb(call);
    call.body.end();

    expect(headers['grpc-status']).toBe(String(Status.ResourceExhausted));
    expect((await getUser(app, '7')).grpcStatus).toBe(0);
  });

  it('refuses calls when the server is closed', async () => {
    await using app = await start();
    app.grpc.close();

    expect((await getUser(app, '7')).grpcStatus).toBe(Status.Unavailable);
  });
});

describe('gRPC-Web on HTTP/1.1 alone', () => {
  it('says how long an answer is whose end is known', async () => {
    await using app = await start();
    const post = (path: string, message: Uint8Array): Promise<WebAnswer> =>
      callWeb('HTTP/1.1', app.http1Address, { path, headers: binary, chunks: [frame(message)] });

    const answers = await Promise.all([
      post(getUserPath, user('7')),
      post(getUserPath, user(missing)),
      post(watchUsersPath, bytesOf(WatchUsersRequestSchema, { includeExisting: true })),
    ]);

    expect(answers.map(({ headers, raw }) => headers['content-length'] ?? raw.length > 0)).toEqual([
      String(answers[0]?.raw.length),
      '0',
      true,
    ]);
    expect(answers[2]?.headers['transfer-encoding']).toBe('chunked');
  });
});
