import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogService } from '../../src/gen/log/service/v1/log_pb.js';
import { UserService } from '../../src/gen/user/service/v1/user_pb.js';
import { AppModule } from '../../src/service/app.module.js';
import { GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { type TestPostgres, testPostgres } from '../support/postgres.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

let server: TestPostgres;
let folder: TemporaryFolder;
let instances: TestService[];

beforeAll(async () => {
  server = await testPostgres();
  folder = await temporaryFolder();
  const env = { DATABASE_URL: await server.createDatabase() };
  const set = { 'files.directory': folder.path, 'files.seed': false, 'users.seed': true };
  // Two that start together on an empty database.
  instances = await Promise.all([startTestService(AppModule, { env, set }), startTestService(AppModule, { env, set })]);
}, 300_000);

afterAll(async () => {
  for (const instance of instances) await instance.close();
  await folder.remove();
  await server.close();
});

describe('two instances on one PostgreSQL', () => {
  it('see the same users, seeded once', async () => {
    const [first, second] = await Promise.all(instances.map(({ url }) => http(url, { path: '/api/v1/users' })));

    expect(first?.json).toMatchObject({
      data: { users: [{ id: '1', displayName: 'Alice' }, { displayName: 'Bob' }, { displayName: 'Carol' }] },
    });
    expect(second?.json).toEqual(first?.json);
  });

  it('let one of two make the user whom both want', async () => {
    const body = { displayName: 'Dan', email: 'dan@example.com', role: 'viewer' };
    const answers = await Promise.all(
      instances.map(({ url, token }) =>
        http(url, { method: 'POST', path: '/api/v1/users', token: token({ scope: 'users:write' }), body }),
      ),
    );

    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
  });

  it('take an upload on one and list it on the other', async () => {
    const [one, other] = instances as [TestService, TestService];
    const caller = new GrpcCaller(one.address);
    const entries = Array.from({ length: 1200 }, (_, index) => ({ source: 'web', level: 'info', message: `${index}` }));

    const { messages, failure } = await caller.call(methodOf(LogService, 'Upload'), entries, { token: one.token() });
    const wrong = await caller.call(
      methodOf(LogService, 'Upload'),
      [...entries, { source: 'web', level: '', message: 'x' }],
      { token: one.token() },
    );

    expect(failure).toBeUndefined();
    expect(messages).toMatchObject([{ accepted: '1200' }]);
    expect(wrong.failure).toMatchObject({ violations: [{ field: '[1200].level' }] });
    let total = 0;
    for (let token = ''; ; ) {
      const { json } = await http(other.url, {
        path: `/api/v1/logs?pageSize=100&source=web&pageToken=${token}`,
        token: other.token(),
      });
      const { entries: page, nextPageToken } = (json as { data: { entries: unknown[]; nextPageToken: string } }).data;
      total += page.length;
      token = nextPageToken;
      if (token === '') break;
    }
    expect(total).toBe(1200);
    caller.close();
  });

  it('say NOT_FOUND and ready as on SQLite', async () => {
    const [one] = instances as [TestService, TestService];
    const caller = new GrpcCaller(one.address);

    const { failure } = await caller.call(methodOf(UserService, 'GetUser'), [{ id: '9223372036854775807' }]);
    const ready = await http(one.url, { path: '/health/ready' });

    expect(failure).toMatchObject({ status: 'NOT_FOUND', reason: 'USER_NOT_FOUND' });
    expect(ready.status).toBe(200);
    expect(ready.json).toMatchObject({ info: { database: { status: 'up' } } });
    caller.close();
  });

  it('cannot start without the server, and say so without the password', async () => {
    const url = Object.assign(new URL(server.url), { port: '1', password: 's3cret' });

    const starting = startTestService(AppModule, {
      env: { DATABASE_URL: url.href },
      set: { 'files.directory': folder.path },
    });

    await expect(starting).rejects.toThrow(
      /^database postgres:\/\/127\.0\.0\.1:1\/postgres: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    );
  });
});
