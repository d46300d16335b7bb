import { Global, Module } from '@nestjs/common';
import { LOG_DESTINATION } from 'rookery/telemetry';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UsersModule } from '../../src/service/users/index.js';
import { eventually } from '../support/eventually.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { tokens } from '../support/tokens.js';
import { TrialApp, users } from '../support/trial-app.js';
import { internalText } from '../support/trial-failures.js';
import { TrialModule } from '../support/trial.module.js';
import { TrialService } from '../support/trial-proto.js';

type Line = Readonly<Record<string, unknown>>;

const texts: string[] = [];
const destination = { write: (text: string): void => void texts.push(text) };

@Global()
@Module({ providers: [{ provide: LOG_DESTINATION, useValue: destination }], exports: [LOG_DESTINATION] })
class LogCaptureModule {}

@Module({ imports: [LogCaptureModule, UsersModule, TrialModule] })
class LoggedModule {}

const fail = methodOf(TrialService, 'Fail');
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(LoggedModule, { set: { 'log.level': 'trace', 'users.seed': true } });
});

beforeEach(() => {
  texts.length = 0;
});

afterAll(() => app.close());

function lines(message = 'request'): Line[] {
  return texts.map((text) => JSON.parse(text) as Line).filter(({ msg }) => msg === message);
}

async function oneLine(): Promise<Line> {
  await eventually('a line for the request', () => lines().length > 0);
  expect(lines()).toHaveLength(1);
  return lines()[0] as Line;
}

/** The whole of an access line but what differs from run to run. */
function access(fields: object): object {
  return {
    msg: 'request',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    durationMs: expect.any(Number) as unknown,
    peer: '127.0.0.1',
    ...fields,
  };
}

describe('a request leaves one line', () => {
  it('on HTTP/1.1', async () => {
    await http(app.url, { path: '/api/v1/users/1', headers: { 'x-request-id': 'r-1' } });

    expect(await oneLine()).toMatchObject(
      access({
        level: 'info',
        requestId: 'r-1',
        face: 'http',
        operation: 'GET /api/v1/users/:id',
        status: 'OK',
        httpStatus: 200,
      }),
    );
  });

  it('on HTTP/2', async () => {
    const connection = await Http2Caller.connect(app.url);
    await connection.request({ ':path': '/api/v1/users/1', 'x-request-id': 'r-2' });
    connection.close();

    expect(await oneLine()).toMatchObject(
      access({
        level: 'info',
        requestId: 'r-2',
        face: 'http',
        operation: 'GET /api/v1/users/:id',
        status: 'OK',
        httpStatus: 200,
      }),
    );
  });

  it('on gRPC', async () => {
    await app.caller.call(users.get, [{ id: '1' }], { metadata: { 'x-request-id': 'r-3' } });

    expect(await oneLine()).toMatchObject(
      access({
        level: 'info',
        requestId: 'r-3',
        face: 'grpc',
        operation: 'user.service.v1.UserService/GetUser',
        status: 'OK',
        httpStatus: 200,
      }),
    );
  });

  it('with who called', async () => {
    await http(app.url, { method: 'DELETE', path: '/api/v1/users/77', token: tokens.writer() });

    expect(await oneLine()).toMatchObject({
      operation: 'DELETE /api/v1/users/:id',
      subject: 'writer',
      status: 'NOT_FOUND',
      httpStatus: 404,
      reason: 'USER_NOT_FOUND',
      level: 'warn',
    });
  });

  it('also when nobody serves it', async () => {
    await http(app.url, { path: '/no/such/route' });
    const rest = await oneLine();
    texts.length = 0;
    await app.caller.callBytes('/no.such.Service/Method', []);
    const rpc = await oneLine();

    expect(rest).toMatchObject({ face: 'http', status: 'NOT_FOUND', httpStatus: 404, reason: 'ROUTE_NOT_FOUND' });
    expect(rpc).toMatchObject({ face: 'grpc', status: 'UNIMPLEMENTED', reason: 'RPC_NOT_FOUND' });
    // A stranger's path is no name of an operation.
    expect(JSON.stringify([rest, rpc])).not.toContain('such');
  });

  it('also when its caller has gone', async () => {
    const { call } = app.caller.open(users.watch);
    call.write({});
    call.end();
    call.resume();
    await eventually('the watch runs', () => app.inFlight === 1);
    call.cancel();

    expect(await oneLine()).toMatchObject({ operation: 'user.service.v1.UserService/WatchUsers', status: 'CANCELLED' });
  });

  it('and no line when it is a probe', async () => {
    await http(app.url, { path: '/health/live' });
    await http(app.url, { path: '/api/v1/users/1' });

    expect(await oneLine()).toMatchObject({ operation: 'GET /api/v1/users/:id' });
  });
});

describe('a fault', () => {
  it.each([
    [
      'http',
      () =>
        http(app.url, {
          method: 'POST',
          path: '/trial/fail',
          body: { mode: 'error' },
          headers: { 'x-request-id': 'f-1' },
        }),
    ],
    ['grpc', () => app.caller.call(fail, [{ mode: 'error' }], { metadata: { 'x-request-id': 'f-1' } })],
  ])('on %s is in the log with its stack, under the request id that its caller was told', async (face, ask) => {
    await ask();
    await oneLine();
    const [fault, ...others] = lines('request failed');

    expect(others).toEqual([]);
    expect(fault).toMatchObject({
      level: 'error',
      requestId: 'f-1',
      face,
      err: { message: internalText, stack: expect.stringContaining('trial-failures.ts') as unknown },
    });
    expect(lines()[0]).toMatchObject({
      level: 'error',
      status: 'INTERNAL',
      reason: 'INTERNAL',
      httpStatus: face === 'http' ? 500 : 200,
    });
  });

  it('of the caller is none', async () => {
    await http(app.url, { method: 'POST', path: '/trial/orders', body: {} });
    await oneLine();

    expect(lines('request failed')).toEqual([]);
  });
});

describe('a secret', () => {
  it('is in no line, whatever came of the request', async () => {
    const token = tokens.writer();
    const wrong = tokens.wronglySigned();
    await http(app.url, { method: 'DELETE', path: '/api/v1/users/77', token });
    await http(app.url, { method: 'DELETE', path: '/api/v1/users/77', token: wrong });
    await http(app.url, { path: `/api/v1/users/1?token=${token}` });
    await http(app.url, {
      method: 'POST',
      path: '/trial/fail',
      body: { mode: 'error' },
      token,
      headers: { cookie: 'session=top-secret-cookie' },
    });
    await app.caller.call(users.remove, [{ id: '77' }], { token });
    await app.caller.call(fail, [{ mode: 'error' }], { token: wrong });
    await eventually('all lines', () => lines().length === 6);
    const log = texts.join('');

    for (const secret of [
      token,
      wrong,
      token.split('.')[2],
      wrong.split('.')[2],
      'top-secret-cookie',
      'the secret of tests',
    ])
      expect(log).not.toContain(secret);
  });

  it('is masked also where an error repeats it', async () => {
    const token = tokens.writer();
    await http(app.url, { method: 'POST', path: '/trial/fail', body: { mode: `saying:sent Bearer ${token}` } });
    await app.caller.call(fail, [{ mode: `saying:sent Bearer ${token}` }]);
    await eventually('all lines', () => lines().length === 2);

    expect(lines('request failed')).toHaveLength(2);
    expect(texts.join('')).toContain(`${internalText}: sent Bearer ***`);
    expect(texts.join('')).not.toContain(token.split('.')[2]);
  });
});
