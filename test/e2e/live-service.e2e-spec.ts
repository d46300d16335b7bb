import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatService } from '../../src/gen/chat/service/v1/chat_pb.js';
import { GreetingService } from '../../src/gen/greeting/service/v1/greeting_pb.js';
import { LogService } from '../../src/gen/log/service/v1/log_pb.js';
import { AppModule } from '../../src/service/app.module.js';
import { EditedApp } from '../support/edited-app.js';
import { methodOf, type OpenCall } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { tokens } from '../support/tokens.js';
import { users } from '../support/trial-app.js';

const rpc = {
  greeting: methodOf(GreetingService, 'GetGreeting'),
  join: methodOf(ChatService, 'Join'),
  upload: methodOf(LogService, 'Upload'),
};

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start(
    { 'users.seed': true, 'files.directory': '/tmp/rookery-test-no-files' },
    { application: AppModule },
  );
});

afterAll(() => app.close());

describe('greeting while the service runs', () => {
  const greetings = async (): Promise<unknown[]> => {
    const [rest, call] = await Promise.all([
      http(app.url, { path: '/api/v1/greeting' }),
      app.caller.call(rpc.greeting, [{}]),
    ]);
    return [(rest.json as { data: unknown }).data, call.messages[0]];
  };

  it('text is what both faces say from the next request on', async () => {
    expect(await greetings()).toEqual([{ text: 'Welcome to the rookery.' }, { text: 'Welcome to the rookery.' }]);
    await app.edit({ 'greeting.text': 'Hello.' });
    expect(await greetings()).toEqual([{ text: 'Hello.' }, { text: 'Hello.' }]);

    expect(await app.tryEdit({ 'greeting.text': '' })).toMatchObject({
      message: expect.stringMatching(
        /^greeting[.]text: an empty text [(]expected: .*application-test[.]yaml:\d+[)]$/,
      ) as unknown,
    });
    expect(await greetings()).toEqual([{ text: 'Hello.' }, { text: 'Hello.' }]);
    await app.edit({ 'greeting.text': undefined });
  });
});

describe('paging while the service runs', () => {
  it('maxPageSize is the most that a page has from the next request on, on both faces', async () => {
    const onPage = async (): Promise<number[]> => {
      const rest = await http(app.url, { path: '/api/v1/users?pageSize=3' });
      const call = await app.caller.call(users.list, [{ pageSize: 3 }]);
      const lists = [(rest.json as { data: unknown }).data, call.messages[0]] as { users: unknown[] }[];
      return lists.map((list) => list.users.length);
    };
    expect(await onPage()).toEqual([3, 3]);
    await app.edit({ 'paging.maxPageSize': 1 });
    expect(await onPage()).toEqual([1, 1]);
    await app.edit({ 'paging.maxPageSize': undefined });
  });
});

describe('logs while the service runs', () => {
  const upload = async (entries: number): Promise<unknown> => {
    const entry = { source: 'trial', level: 'info', message: 'hello' };
    const { failure } = await app.caller.call(
      rpc.upload,
      Array.from({ length: entries }, () => entry),
      {
        token: app.test.token({ scope: 'logs:write' }),
      },
    );
    return failure?.reason;
  };

  it('maxEntriesPerUpload and batchSize hold for the next upload', async () => {
    expect(await upload(5)).toBeUndefined();
    await app.edit({ 'logs.maxEntriesPerUpload': 4, 'logs.batchSize': 2 });
    expect([await upload(4), await upload(5)]).toEqual([undefined, 'LOG_UPLOAD_TOO_LARGE']);
    await app.edit({ 'logs.maxEntriesPerUpload': undefined, 'logs.batchSize': undefined });
  });
});

describe('chat while the service runs', () => {
  const join = (room: string): OpenCall => {
    const open = app.caller.open(rpc.join, { token: tokens.writer() });
    open.call.write({ room });
    open.call.resume();
    return open;
  };

  it('maxMembers and maxMembersPerRoom hold for the next member', async () => {
    const first = join('one');
    await new Promise((resolve) => first.call.once('data', resolve));
    await app.edit({ 'chat.maxMembersPerRoom': 1 });
    const second = await join('one').ended;
    await app.edit({ 'chat.maxMembersPerRoom': undefined, 'chat.maxMembers': 1 });
    const third = await join('two').ended;
    await app.edit({ 'chat.maxMembers': undefined });
    const fourth = join('one');
    await new Promise((resolve) => fourth.call.once('data', resolve));
    for (const open of [first, fourth]) open.call.end();

    expect([second.failure?.reason, third.failure?.reason]).toEqual(['CHAT_FULL', 'CHAT_FULL']);
    expect([(await first.ended).failure, (await fourth.ended).failure]).toEqual([undefined, undefined]);
  });
});
