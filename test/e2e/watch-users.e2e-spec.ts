import { openResources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChatService } from '../../src/gen/chat/service/v1/chat_pb.js';
import { UserService } from '../../src/gen/user/service/v1/user_pb.js';
import { AppModule } from '../../src/service/app.module.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller, methodOf, type OpenCall } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const before = openResources();
let folder: TemporaryFolder;
let test: TestService;
let caller: GrpcCaller;

beforeEach(async () => {
  folder = await temporaryFolder();
  test = await startTestService(AppModule, {
    set: { 'files.directory': folder.path, 'files.seed': false, 'users.seed': true },
  });
  caller = new GrpcCaller(test.address);
});

afterEach(async () => {
  caller.close();
  await test.close();
  await folder.remove();
  await untilReleased(before);
});

/** Reads a call's messages one by one. */
function reader({ call }: OpenCall): () => Promise<Record<string, unknown>> {
  const iterator = call[Symbol.asyncIterator]() as AsyncIterator<Record<string, unknown>>;
  return async () => (await iterator.next()).value as Record<string, unknown>;
}

function watchAll(): OpenCall {
  const watch = caller.open(methodOf(UserService, 'WatchUsers'));
  watch.call.write({ includeExisting: true });
  watch.call.end();
  return watch;
}

describe('UserService/WatchUsers', () => {
  it('tells the users there are, then what changes on either face', async () => {
    const watch = watchAll();
    const next = reader(watch);
    const existing = [await next(), await next(), await next()].map(
      ({ user }) => (user as { displayName: string }).displayName,
    );
    expect(existing).toEqual(['Alice', 'Bob', 'Carol']);

    const token = test.token({ scope: 'users:write' });
    const dan = { displayName: 'Dan', email: 'dan@example.com', role: 'viewer' };
    await http(test.url, { method: 'POST', path: '/api/v1/users', token, body: dan });
    await caller.call(methodOf(UserService, 'UpdateUser'), [{ id: '4', age: 5, updateMask: 'age' }], { token });
    await http(test.url, { method: 'DELETE', path: '/api/v1/users/4', token });

    expect([await next(), await next(), await next()]).toMatchObject([
      { kind: 'KIND_UPSERTED', user: { id: '4', displayName: 'Dan' } },
      { kind: 'KIND_UPSERTED', user: { id: '4', age: 5 } },
      { kind: 'KIND_DELETED', user: { id: '4', age: 5 } },
    ]);
    watch.call.cancel();
  });

  it('costs nothing any more once the caller has gone', async () => {
    const watch = watchAll();
    await reader(watch)();

    watch.call.cancel();

    await eventually('the watch is over', () => test.service.lifecycle.inFlight === 0);
    expect((await watch.ended).failure?.status).toBe('CANCELLED');
  });
});

describe('a stop', () => {
  it('is not held up by watches and conversations: they end, and well', async () => {
    const watch = watchAll();
    const chat = caller.open(methodOf(ChatService, 'Join'), { token: test.token() });
    chat.call.write({ room: 'tea' });
    await reader(chat)();
    watch.call.resume();
    await eventually('the watch is there', () => test.service.lifecycle.inFlight === 2);

    const startedAtMs = performance.now();
    const exitCode = await test.close();

    expect(exitCode).toBe(0);
    // Of the 5 s of grace that a test service has.
    expect(performance.now() - startedAtMs).toBeLessThan(3000);
    chat.call.resume();
    for (const { failure } of await Promise.all([watch.ended, chat.ended])) expect(failure).toBeUndefined();
  });
});
