import { once } from 'node:events';
import { Agent } from 'node:http';
import { constants, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { Flag, frame, FrameType, RawClient, requestFields } from '../support/raw-http2-client.js';
import { RawConnection } from '../support/raw-connection.js';
import { tokens } from '../support/tokens.js';

/** What costs the service more than the caller, if anything does, and what is answered. */
interface Hostile {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly status: number;
  readonly reason?: string;
  /** Violations that are reported. */
  readonly errors?: number;
}

const kib16 = 15_000;
const users = '/api/v1/users';
const tooMany = { status: 413, reason: 'TOO_MANY_ELEMENTS' };
const tooDeep = { status: 400, reason: 'MESSAGE_TOO_DEEP' };
const invalid = { status: 400, reason: 'VALIDATION_FAILED' };

const join = (count: number, each: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => each(i)).join();

const bodies: readonly Hostile[] = [
  { name: 'numbers', body: `{"displayName":[${'0,'.repeat(500_000)}0]}`, ...tooMany },
  { name: 'empty objects', body: `[${'{},'.repeat(300_000)}{}]`, ...tooMany },
  { name: 'objects with other names each', body: `[${join(60_000, (i) => `{"k${i}":0}`)}]`, ...tooMany },
  { name: 'nested lists', body: '['.repeat(1_000_000), ...tooDeep },
  { name: 'nested objects', body: '{"a":'.repeat(200_000), ...tooDeep },
  { name: 'names that no field has', body: `{${join(8000, (i) => `"k${i}":1`)}}`, ...invalid, errors: 32 },
  { name: 'more names than a list could have items', body: `{${join(90_000, (i) => `"k${i}":1`)}}`, ...tooMany },
  { name: 'one name', body: `{"${'k'.repeat(1_000_000)}":1}`, ...invalid },
  { name: 'one value', body: `{"email":"${'a.'.repeat(500_000)}@x.de"}`, ...invalid, errors: 3 },
  {
    name: 'escapes where a name could be forbidden',
    body: `{"displayName":[${'"\\u005f_proto__",'.repeat(60_000)}0]}`,
    ...invalid,
  },
  {
    name: 'what unpacks to 256 MiB',
    body: gzipSync(Buffer.alloc(268_435_456, 0x20), { level: constants.Z_BEST_SPEED }),
    headers: { 'content-encoding': 'gzip' },
    status: 413,
    reason: 'REQUEST_TOO_LARGE',
  },
  {
    name: 'a window of 128 MiB in nine bytes',
    body: Buffer.from('28b52ffd0088008000', 'hex'),
    headers: { 'content-encoding': 'zstd' },
    status: 415,
    reason: 'UNSUPPORTED_CONTENT_ENCODING',
  },
].map((each) => ({ method: 'POST', ...each }));

const heads: readonly Hostile[] = [
  { name: 'parameters', path: `${users}?${'a&'.repeat(5000)}`, status: 400, reason: 'TOO_MANY_QUERY_PARAMETERS' },
  { name: 'parameters that no field has', path: `${users}?${'a%5Bb%5D=1&'.repeat(900)}`, ...invalid },
  { name: 'escapes in the query', path: `${users}?pageToken=${'%20'.repeat(5000)}`, ...invalid },
  { name: 'segments', path: `/api${'/a'.repeat(7000)}`, status: 404, reason: 'ROUTE_NOT_FOUND' },
  {
    name: 'header fields',
    headers: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`x${i}`, ''])),
    status: 431,
    reason: 'HEADERS_TOO_LARGE',
  },
  {
    name: 'a token',
    headers: { authorization: `Bearer ${Buffer.alloc(kib16 / 2, 1).toString('base64url')}.e30.x` },
    method: 'POST',
    body: '{}',
    status: 401,
    reason: 'TOKEN_MALFORMED',
  },
  { name: 'a tenant', headers: { 'x-tenant': `${'a-'.repeat(kib16 / 2)}=x` }, status: 200 },
  { name: 'a tenant that is no token', headers: { 'x-tenant': '-eyJ'.repeat(kib16 / 4) }, status: 200 },
  { name: 'a tenant that is no URL', headers: { 'x-tenant': '://'.repeat(kib16 / 3) }, status: 200 },
  { name: 'a trace', headers: { traceparent: '00-'.repeat(2000), tracestate: 'a=b,'.repeat(2000) }, status: 200 },
  { name: 'forwarded addresses', headers: { 'x-forwarded-for': '1.2.3.4,'.repeat(1800) }, status: 200 },
  { name: 'cookies', headers: { cookie: `${'a=b; '.repeat(3000)}a=b` }, status: 200 },
  { name: 'types', headers: { accept: `${'application/problem+json;q=0 ,'.repeat(500)}*/*` }, status: 200 },
  {
    name: 'codings',
    headers: { 'accept-encoding': `gzip;q=.${'1'.repeat(kib16)}x` },
    path: '/openapi.json',
    status: 200,
  },
  { name: 'entity tags', headers: { 'if-none-match': 'W/"a",'.repeat(2000) }, path: '/openapi.json', status: 200 },
  {
    name: 'a type of body',
    method: 'POST',
    headers: { 'content-type': `application/json${';'.repeat(kib16)}` },
    body: '{}',
    ...invalid,
  },
];

let service: ChildService;
let token: string;

beforeAll(async () => {
  service = await ChildService.start(
    { ROOKERY_USERS__SEED: 'true' },
    { nodeOptions: ['--max-old-space-size=64', '--max-semi-space-size=8'] },
  );
  token = tokens.writer();
}, 120_000);

afterAll(async () => {
  await service.dispose();
});

const headersOf = ({ headers, body }: Hostile): Record<string, string> => ({
  authorization: `Bearer ${token}`,
  ...(body !== undefined && { 'content-type': 'application/json' }),
  ...headers,
});

interface Answered {
  readonly status: number;
  readonly reason: unknown;
  readonly errors: number;
}

function answered(status: number, text: string): Answered {
  const json = (text.startsWith('{') ? JSON.parse(text) : {}) as { reason?: string; errors?: unknown[] };
  return { status, reason: json.reason, errors: json.errors?.length ?? 0 };
}

/** A client that asks for little, again and again, as long as `work` goes on and four times at least. */
async function patiently(work: Promise<unknown>): Promise<{ asked: number; failed: unknown[] }> {
  let isOver = false;
  const over = work.then(
    () => {
      isOver = true;
      return undefined;
    },
    (error: unknown) => {
      isOver = true;
      return error;
    },
  );
  const failed: unknown[] = [];
  let asked = 0;
  while (!isOver || asked < 4) {
    asked += 1;
    try {
      const { status } = await http(service.url, { path: `${users}?pageSize=1` });
      if (status !== 200) failed.push(status);
    } catch (error) {
      failed.push(error);
    }
  }
  expect(await over).toBeUndefined();
  return { asked, failed };
}

const times = 3;

describe.each([
  ['bodies', bodies],
  ['heads', heads],
])('hostile %s in a heap of 64 MiB', (_kind, all) => {
  const asExpected = (each: Hostile, { errors, ...answer }: Answered): void => {
    expect([each.name, answer]).toEqual([each.name, { status: each.status, reason: each.reason }]);
    expect(errors).toBeLessThanOrEqual(32);
    if (each.errors !== undefined) expect([each.name, errors]).toEqual([each.name, each.errors]);
  };

  it('over HTTP/1.1 are refused, and others served meanwhile', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const work = Promise.all(
      Array.from({ length: times }, () => all)
        .flat()
        .map(async (each) => {
          const { method = 'GET', path = users, body } = each;
          const { status, text } = await http(service.url, { method, path, body, headers: headersOf(each), agent });
          asExpected(each, answered(status, text));
        }),
    );

    const { asked, failed } = await patiently(work);
    agent.destroy();

    expect(failed).toEqual([]);
    expect(asked).toBeGreaterThan(3);
  }, 120_000);

  it('over one connection of HTTP/2 are refused, and others served meanwhile', async () => {
    // Beyond its memory, Node's client breaks its own streams off.
    const caller = await Http2Caller.connect(service.url, { maxSessionMemory: 1000 });
    const work = Promise.all(
      Array.from({ length: times }, () => all)
        .flat()
        .map(async (each) => {
          const { method = 'GET', path = users, body } = each;
          const { status, text } = await caller.request({ ':method': method, ':path': path, ...headersOf(each) }, body);
          asExpected(each, answered(status, text));
        }),
    );

    const { asked, failed } = await patiently(work);
    caller.close();

    expect(failed).toEqual([]);
    expect(asked).toBeGreaterThan(3);
  }, 120_000);
});

describe('a wrong escape in a query', () => {
  it.each(['%zz', '%', '%C0%AE', '%ff'])('means the same on both versions of HTTP: %s', async (value) => {
    const path = `${users}?pageToken=${value}&pageSize=${value}`;
    const headers = { authorization: `Bearer ${token}` };
    const caller = await Http2Caller.connect(service.url);

    const first = await http(service.url, { path, headers });
    const second = await caller.request({ ':path': path, ...headers });

    caller.close();
    const told = ({ status, text }: { status: number; text: string }): unknown => {
      const { reason, errors } = JSON.parse(text) as { reason: string; errors: unknown };
      return { status, reason, errors };
    };
    expect(told(first)).toMatchObject({ status: 400, reason: 'VALIDATION_FAILED' });
    expect(told(second)).toEqual(told(first));
  });
});

describe('a body with too many elements', () => {
  it.each(['', 'content-encoding: identity\r\n'])('is refused when the first of them has come: %j', async (more) => {
    const connection = await RawConnection.open(Number(new URL(service.url).port));
    const head = `POST ${users} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;

    connection.write(`${head}${more}content-length: 1000000\r\n\r\n{"displayName":[${'0,'.repeat(101_000)}`);

    // Nothing more is sent.
    await connection.sees('TOO_MANY_ELEMENTS');
    expect(connection.received.toString()).toMatch(/^HTTP\/1\.1 413 /);
    connection.destroy();
  });
});

describe('a body of 512 KiB in pieces of one byte', () => {
  const pieces = 524_288;

  it('is taken in a heap of 64 MiB, four at a time', async () => {
    const head = `POST ${users} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n`;
    const bytes = Buffer.concat([
      Buffer.from(head),
      Buffer.from('1\r\n \r\n'.repeat(pieces)),
      Buffer.from('2\r\n{}\r\n0\r\n\r\n'),
    ]);
    const work = Promise.all(
      Array.from({ length: 4 }, async () => {
        const connection = await RawConnection.open(service.port);
        connection.write(bytes);
        return (await connection.closed).toString().split('\r\n', 1)[0];
      }),
    );

    const { failed } = await patiently(work);

    expect(await work).toEqual(Array.from({ length: 4 }, () => 'HTTP/1.1 400 Bad Request'));
    expect(failed).toEqual([]);
  }, 120_000);
});

describe('bodies of 200 000 frames of one byte', () => {
  const frames = 200_000;

  it('are taken in a heap of 64 MiB, four on one connection', async () => {
    const client = await RawClient.connect(service.port);
    const fields = requestFields(users, { authorization: `Bearer ${token}`, 'content-type': 'application/json' });
    const ids = [1, 3, 5, 7];
    for (const id of ids) client.send(client.headers(id, fields, 0));
    for (const id of ids) {
      client.send(Buffer.alloc(10 * frames, frame(FrameType.data, 0, id, Buffer.from(' '))));
      client.send(frame(FrameType.data, Flag.endStream, id, Buffer.from('{}')));
    }

    const work = Promise.all(
      ids.map((id) => client.until(({ type, streamId }) => type === FrameType.headers && streamId === id)),
    );
    const { failed } = await patiently(work);

    const statuses = client.frames
      .filter(({ type }) => type === FrameType.headers)
      .map(({ payload }) => {
        let status = '';
        client.decoder.decode(payload, 0, payload.length, (name, value) => {
          if (name === ':status') status = value;
        });
        return status;
      });
    client.socket.destroy();
    expect(statuses).toEqual(['400', '400', '400', '400']);
    expect(failed).toEqual([]);
  }, 120_000);
});

describe('a deadline shortly before the limit of a body that does not come, over HTTP/2', () => {
  it('holds, and so do the limits of requests after it', { timeout: 60_000 }, async () => {
    const child = await ChildService.start({ ROOKERY_SERVER__LIMITS__BODY_TIMEOUT_MS: '1000' });
    const { session } = await Http2Caller.connect(child.url);
    const statusOfHalf = async (headers: Record<string, string> = {}): Promise<unknown> => {
      const fields = { ':method': 'POST', ':path': users, 'content-type': 'application/json', ...headers };
      const stream = session.request(fields).on('error', () => {});
      stream.write('{');
      const [received] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.close();
      return received[':status'];
    };

    try {
      expect([await statusOfHalf({ 'request-timeout': '0.5' }), await statusOfHalf()]).toEqual([504, 408]);
    } finally {
      session.destroy();
      await child.dispose();
    }
  });
});

describe('the process behind all of this', () => {
  it('lives, has logged no fault and no line of more than some hundred characters', async () => {
    expect((await http(service.url, { path: '/health/live' })).status).toBe(200);
    expect(service.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(Math.max(...service.lines.map((line) => JSON.stringify(line).length))).toBeLessThan(1000);
    expect(service.stderr).toBe('');
    service.kill('SIGTERM');
    expect((await service.exit).code).toBe(0);
  });
});
