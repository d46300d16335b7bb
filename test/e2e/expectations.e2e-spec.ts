import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Http2Caller } from '../support/http2-caller.js';
import { RawConnection } from '../support/raw-connection.js';
import { TrialProcess } from '../support/trial-process.js';

let service: TrialProcess;
let caller: Http2Caller;

beforeAll(async () => {
  service = await TrialProcess.start({ ROOKERY_LOG__LEVEL: 'silent' });
  caller = await Http2Caller.connect(`http://127.0.0.1:${service.port}`);
}, 60_000);

afterAll(async () => {
  caller.close();
  expect(await service.stop()).toBe(0);
});

const body = '{"title":"a","tags":["bb","cc"]}';
const json = { 'content-type': 'application/json', 'content-length': `${body.length}` };

/** What the head alone decides. */
const refusals: [string, string, string, Record<string, string>, number][] = [
  ['no route', 'POST', '/nowhere', json, 404],
  ['another method', 'PUT', '/trial/orders', json, 405],
  ['a body that is too long', 'POST', '/trial/orders', { ...json, 'content-length': '99999999' }, 413],
  ['a type that is not read', 'POST', '/trial/orders', { ...json, 'content-type': 'text/x-none' }, 415],
  ['a coding that is not known', 'POST', '/trial/orders', { ...json, 'content-encoding': 'compress' }, 415],
  ['two codings', 'POST', '/trial/orders', { ...json, 'content-encoding': 'gzip, gzip' }, 415],
];

function head(method: string, path: string, fields: Record<string, string>): string {
  const lines = Object.entries({ host: 'a', ...fields, expect: '100-continue' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

describe('a request that expects 100 Continue', () => {
  it.each(refusals)('gets its refusal alone where the head decides it: %s', async (_, method, path, fields, status) => {
    const connection = await RawConnection.open(service.port);
    connection.write(head(method, path, fields));

    await connection.sees('"code"');
    connection.destroy();

    expect(connection.received.toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it.each(refusals)('gets the same over HTTP/2: %s', async (_, method, path, fields, status) => {
    const request = { ':method': method, ':path': path, ...fields, expect: '100-continue' };
    const stream = caller.session.request(request, { endStream: false });
    let isToGoOn = false;
    stream.on('continue', () => {
      isToGoOn = true;
    });
    const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
    stream.destroy();

    expect({ status: answer[':status'], isToGoOn }).toEqual({ status, isToGoOn: false });
  });

  it('is told to go on where its body is wanted, once', async () => {
    const connection = await RawConnection.open(service.port);
    connection.write(head('POST', '/trial/orders', json));
    await connection.sees('HTTP/1.1 100 Continue\r\n\r\n');

    connection.write(body);
    await connection.sees('"code":201');
    connection.destroy();

    const statuses = connection.received.toString().match(/^HTTP\/1\.1 \d+/gm);
    expect(statuses).toEqual(['HTTP/1.1 100', 'HTTP/1.1 201']);
  });

  it.each([
    ['a method that there is not', '/trial.service.v1.TrialService/Nothing', 'application/grpc-web+proto'],
    ['a message format that is not read', '/trial.service.v1.TrialService/PlaceOrder', 'application/grpc-web+xml'],
  ])('gets the refusal alone over gRPC-Web too: %s', async (_, path, type) => {
    const connection = await RawConnection.open(service.port);
    connection.write(head('POST', path, { 'content-type': type, 'content-length': '5' }));

    await connection.sees('HTTP/1.1 ');
    connection.destroy();

    expect(connection.received.toString()).toMatch(/^HTTP\/1\.1 (?:200|415) /);
  });

  it('is told to go on by gRPC-Web where the message is wanted', async () => {
    const connection = await RawConnection.open(service.port);
    connection.write(
      head('POST', '/trial.service.v1.TrialService/PlaceOrder', {
        'content-type': 'application/grpc-web+proto',
        'content-length': '5',
      }),
    );

    await connection.sees('HTTP/1.1 100 Continue\r\n\r\n');
    connection.write(Buffer.alloc(5));
    await connection.sees('HTTP/1.1 200');
    connection.destroy();

    expect(connection.received.toString()).toMatch(/^HTTP\/1\.1 100 /);
  });
});
