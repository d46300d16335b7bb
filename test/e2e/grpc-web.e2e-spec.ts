import { Agent, request as httpRequest } from 'node:http';
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { signTestToken } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogEntrySchema, UploadSummarySchema } from '../../src/gen/log/service/v1/log_pb.js';
import { GetUserRequestSchema, UserSchema } from '../../src/gen/user/service/v1/user_pb.js';
import { eventually } from '../support/eventually.js';
import { frame } from '../support/grpc-calls.js';
import { callWeb, openWeb, readWeb, type WebAnswer, type WebVersion } from '../support/grpc-web-caller.js';
import { exchangeRaw, RawConnection } from '../support/raw-connection.js';
import { ReferenceApp } from '../support/reference-app.js';
import { requestEnds } from '../support/request-ends.js';

const getUserPath = '/user.service.v1.UserService/GetUser';
const uploadPath = '/log.service.v1.LogService/Upload';
const binary = { 'content-type': 'application/grpc-web+proto' };
const page = 'https://app.example.com';

function message<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Buffer {
  return frame(toBinary(schema, create(schema, init)));
}
const firstUser = message(GetUserRequestSchema, { id: '1' });
const entry = message(LogEntrySchema, { source: 'web', level: 'info', message: 'one' });
const writer = (): Record<string, string> => ({
  ...binary,
  authorization: `Bearer ${signTestToken({ scope: 'logs:write' })}`,
});

let app: ReferenceApp;

beforeAll(async () => {
  app = await ReferenceApp.start({ 'http.cors.origins': [page], 'server.limits.maxHeaderBytes': 2048 });
});

afterAll(() => app.close());

describe.each<WebVersion>(['HTTP/1.1', 'HTTP/2'])('gRPC-Web on the one port, %s', (version) => {
  const getUser = (headers: Record<string, string> = {}): Promise<WebAnswer> =>
    callWeb(version, app.test.address, {
      path: getUserPath,
      headers: { ...binary, ...headers },
      chunks: [firstUser],
    });

  it('is answered by the handlers of gRPC, and told of once', async () => {
    using ends = requestEnds();

    const { messages, grpcStatus, headers } = await getUser({ 'x-request-id': 'web-1' });
    await eventually('the call is over', () => app.inFlight === 0);

    expect([grpcStatus, headers['x-request-id']]).toEqual([0, 'web-1']);
    expect(fromBinary(UserSchema, messages[0]?.data ?? Buffer.alloc(0)).displayName).toBe('Alice');
    expect(ends.list).toMatchObject([
      { operation: 'user.service.v1.UserService/GetUser', httpStatus: 200, requestId: 'web-1' },
    ]);
  });

  it('goes through authentication and validation', async () => {
    const upload = { path: uploadPath, chunks: [entry] };
    const refused = await callWeb(version, app.test.address, { ...upload, headers: binary });
    const taken = await callWeb(version, app.test.address, { ...upload, headers: writer() });

    expect([refused.grpcStatus, taken.grpcStatus]).toEqual([16, 0]);
  });

  it('lets the pages of http.cors call', async () => {
    const preflight = await callWeb(version, app.test.address, {
      method: 'OPTIONS',
      path: getUserPath,
      headers: {
        origin: page,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-grpc-web',
      },
    });
    const answer = await getUser({ origin: page });
    const stranger = await getUser({ origin: 'https://evil.example.com' });

    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, page]);
    expect(answer.headers['access-control-allow-origin']).toBe(page);
    expect(answer.headers['access-control-expose-headers']).toContain('grpc-status');
    expect(stranger.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('leaves preflights of REST to REST', async () => {
    const { headers } = await callWeb(version, app.test.address, {
      method: 'OPTIONS',
      path: '/api/v1/users',
      headers: { origin: page, 'access-control-request-method': 'GET' },
    });

    expect(headers['access-control-allow-methods']).toContain('GET');
  });

  it('answers 415 to what is posted to an RPC and is no call, 405 to other methods', async () => {
    const ask = (method: string, headers: Record<string, string>): Promise<WebAnswer> =>
      callWeb(version, app.test.address, { method, path: getUserPath, headers });

    const posted = await ask('POST', { 'content-type': 'image/jpeg' });
    const got = await ask('GET', {});

    expect([posted.status, posted.headers['accept']]).toEqual([
      415,
      'application/grpc, application/grpc-web, application/grpc-web-text',
    ]);
    expect([got.status, got.headers['allow']]).toEqual([405, 'POST']);
  });
});

describe('gRPC-Web on HTTP/1.1', () => {
  it('shares a connection with REST', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    const ask = (path: string, body: Buffer | undefined, headers: Record<string, string>): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const request = httpRequest(
          `${app.url}${path}`,
          { agent, method: body === undefined ? 'GET' : 'POST', headers },
          (response) => {
            ports.add(response.socket.localPort);
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('end', () => resolve(Buffer.concat(chunks)));
          },
        );
        request.on('error', reject);
        request.end(body);
      });

    for (let round = 0; round < 3; round += 1) {
      expect((await ask('/api/v1/users/1', undefined, {})).toString()).toContain('Alice');
      expect((await ask(getUserPath, firstUser, binary)).toString('latin1')).toContain('grpc-status: 0\r\n');
    }
    expect(ports.size).toBe(1);
    agent.destroy();
  });

  it('is refused without a host, as every request is', async () => {
    const answer = await exchangeRaw(
      app.test.port,
      `POST ${getUserPath} HTTP/1.1\r\ncontent-type: application/grpc-web\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
    );

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('ends with a status when what comes amid its request is no HTTP', async () => {
    using ends = requestEnds();
    const connection = await RawConnection.open(app.test.port);
    const [type, token] = [binary['content-type'], writer()['authorization']];
    connection.write(
      `POST ${uploadPath} HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\nauthorization: ${token}\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    await eventually('the call is at work', () => app.inFlight === 1);

    connection.write('nonsense\r\n');

    expect((await connection.closed).toString()).toMatch(
      /^HTTP\/1\.1 200 [^]*\r\ngrpc-status: 3\r\n[^]*\r\nconnection: close\r\n/,
    );
    await eventually('the call is over', () => app.inFlight === 0);
    expect(ends.list).toMatchObject([{ operation: 'log.service.v1.LogService/Upload', reason: 'MALFORMED_REQUEST' }]);
  });

  it('is answered whole before what follows it is refused', async () => {
    const connection = await RawConnection.open(app.test.port);
    const head = `POST ${getUserPath} HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc-web\r\ncontent-length: ${firstUser.length}\r\n\r\n`;
    connection.write(Buffer.concat([Buffer.from(head), firstUser, Buffer.from('nonsense\r\n\r\n')]));

    const answer = (await connection.closed).toString('latin1');

    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*grpc-status: 0\r\n(0\r\n\r\n)?HTTP\/1\.1 400 /);
  });
});

describe('gRPC-Web on HTTP/2', () => {
  it('is told that its headers are too large', async () => {
    const { status, grpcStatus, headers } = await callWeb('HTTP/2', app.test.address, {
      path: getUserPath,
      headers: { ...binary, origin: page, large: 'x'.repeat(3000) },
      chunks: [firstUser],
    });

    expect([status, grpcStatus]).toEqual([200, 8]);
    expect(headers['access-control-allow-origin']).toBe(page);
  });
});

describe.each<WebVersion>(['HTTP/1.1', 'HTTP/2'])('A stop amid a gRPC-Web call on %s', (version) => {
  it('waits for its end', async () => {
    const own = await ReferenceApp.start();
    const call = openWeb(version, own.test.address, { path: uploadPath, headers: writer() });
    call.body.write(entry);
    await eventually('the call is at work', () => own.inFlight === 1);

    const closed = own.test.close();
    await eventually('the service is stopping', () => own.test.service.lifecycle.isDraining);
    call.body.end(entry);

    const { messages, grpcStatus } = await readWeb(call);
    expect(grpcStatus).toBe(0);
    expect(fromBinary(UploadSummarySchema, messages[0]?.data ?? Buffer.alloc(0)).accepted).toBe(2n);
    expect(await closed).toBe(0);
    await own.close();
  });
});
