import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { errorEnvelope } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { requestEnds } from '../support/request-ends.js';
import { TrialApp } from '../support/trial-app.js';
import { orderMessage, placeOrderPath } from '../support/trial-orders.js';
import {
  exchange,
  type WireAnswer,
  type WireRequest,
  type WireVersion,
  wireVersions,
} from '../support/wire-requests.js';

type Field = readonly [name: string, value: string];

const field = (name: string, value: string): Field => [name, value];

let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start();
});

afterEach(async () => {
  await eventually('nothing is in flight', () => app.inFlight === 0);
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

async function ask(version: WireVersion, request: WireRequest): Promise<WireAnswer> {
  const [answer] = await exchange(version, app.port, [request]);
  return answer as WireAnswer;
}

const order = { method: 'POST', path: '/trial/orders', body: Buffer.from('{"title":"a"}') };
const rpc = { method: 'POST', path: placeOrderPath, body: orderMessage({ title: 'a' }) };
const json: Field = ['content-type', 'application/json'];
const grpc: Field = ['content-type', 'application/grpc'];
const web: Field = ['content-type', 'application/grpc-web+proto'];
const bearers: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ['two of them', [field('authorization', 'Bearer a'), field('authorization', 'Bearer b')]],
  ['the same one twice', [field('authorization', 'Bearer a'), field('authorization', 'Bearer a')]],
  ['two of other schemes', [field('authorization', 'Basic YTpi'), field('authorization', 'Basic YTpj')]],
  ['an empty one and another', [field('authorization', ''), field('authorization', 'Bearer a')]],
];

const reason = 'MALFORMED_REQUEST';
const invalidArgument = '3';

describe('authorization that is there more than once is refused', () => {
  const message = 'authorization: more than one (expected: one)';

  describe.each(bearers)('%s', (_what, fields) => {
    it.each(wireVersions)('by REST on %s', async (version) => {
      using ends = requestEnds();
      const { status, body } = await ask(version, { ...order, headers: [json, ...fields] });

      expect(JSON.parse(body)).toEqual(errorEnvelope(400, { reason, message }));
      expect(status).toBe(400);
      expect(ends.list).toMatchObject([{ operation: 'POST /trial/orders', httpStatus: 400, reason }]);
    });

    it('by gRPC', async () => {
      using ends = requestEnds();
      const { status, headers } = await ask('HTTP/2', { ...rpc, headers: [['te', 'trailers'], grpc, ...fields] });

      expect([status, headers['content-type'], headers['grpc-status']]).toEqual([
        200,
        'application/grpc',
        invalidArgument,
      ]);
      expect(headers['grpc-message']).toBe(message);
      expect(ends.list).toMatchObject([{ operation: placeOrderPath.slice(1), reason }]);
    });

    it.each(wireVersions)('by gRPC-Web on %s', async (version) => {
      using ends = requestEnds();
      const { status, headers } = await ask(version, { ...rpc, headers: [web, ...fields] });

      expect([status, headers['content-type'], headers['grpc-status']]).toEqual([
        200,
        'application/grpc-web+proto',
        invalidArgument,
      ]);
      expect(ends.list).toMatchObject([{ operation: placeOrderPath.slice(1), reason }]);
    });
  });

  it('and one line with two credentials is no token on any of them', async () => {
    const two: Field = ['authorization', 'Bearer a, Bearer b'];
    const rest = await Promise.all(wireVersions.map((each) => ask(each, { ...order, headers: [json, two] })));
    const overWeb = await Promise.all(wireVersions.map((each) => ask(each, { ...rpc, headers: [web, two] })));
    const native = await ask('HTTP/2', { ...rpc, headers: [grpc, two] });

    expect(rest.map(({ status, body }) => [status, (JSON.parse(body) as { reason: string }).reason])).toEqual([
      [401, 'TOKEN_MALFORMED'],
      [401, 'TOKEN_MALFORMED'],
    ]);
    expect([...overWeb, native].map(({ headers }) => headers['grpc-status'])).toEqual(['16', '16', '16']);
  });
});

describe('content-type that is there more than once is refused', () => {
  const message = 'content-type: more than one (expected: one)';

  it.each(wireVersions)('by REST on %s, whichever comes first', async (version) => {
    for (const other of [json, ['content-type', 'text/plain'] as const, grpc]) {
      for (const headers of [
        [json, other],
        [['content-type', 'text/plain'] as const, other],
      ]) {
        const { status, body } = await ask(version, { ...order, headers });

        expect([status, JSON.parse(body)]).toEqual([400, errorEnvelope(400, { reason, message })]);
      }
    }
  });

  it('by gRPC', async () => {
    for (const other of [grpc, json, web]) {
      const { headers } = await ask('HTTP/2', { ...rpc, headers: [grpc, other] });

      expect([headers['grpc-status'], headers['grpc-message']]).toEqual([invalidArgument, message]);
    }
  });

  it.each(wireVersions)('by gRPC-Web on %s', async (version) => {
    for (const other of [web, grpc, json]) {
      const { headers } = await ask(version, { ...rpc, headers: [web, other] });

      expect([headers['grpc-status'], headers['grpc-message']]).toEqual([invalidArgument, message]);
    }
  });

  it.each(wireVersions)('and a list of two in one line is none on %s', async (version) => {
    const list = (name: string): Field => ['content-type', `${name}, ${name}`];
    const answers = [
      await ask(version, { ...order, headers: [list('application/json')] }),
      await ask(version, { ...rpc, headers: [list('application/grpc-web')] }),
      await ask(version, { ...rpc, headers: [list('application/grpc')] }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([415, 415, 415]);
  });
});

describe('what says where a request ends or whom it is for is refused when it is there more than once', () => {
  const twice: readonly (readonly [what: string, fields: readonly Field[]])[] = [
    ['the same content-length twice', [field('content-length', '13'), field('content-length', '13')]],
    ['two content-lengths', [field('content-length', '13'), field('content-length', '14')]],
    ['a list of content-lengths', [field('content-length', '13, 13')]],
  ];

  it.each(twice)('%s: 400 on HTTP/1.1, a reset on HTTP/2, by REST and gRPC alike', async (_what, fields) => {
    const overHttp1 = [
      await ask('HTTP/1.1', { method: 'POST', path: order.path, headers: [json, ...fields] }),
      await ask('HTTP/1.1', { method: 'POST', path: rpc.path, headers: [web, ...fields] }),
    ];
    const overHttp2 = [
      await ask('HTTP/2', { ...order, headers: [json, ...fields] }),
      await ask('HTTP/2', { ...rpc, headers: [grpc, ...fields] }),
      await ask('HTTP/2', { ...rpc, headers: [web, ...fields] }),
    ];

    expect(overHttp1.map(({ status }) => status)).toEqual([400, 400]);
    expect(overHttp2.map(({ status }) => status)).toEqual([0, 0, 0]);
  });
});

describe('two hosts are refused', () => {
  const hosts: readonly Field[] = [
    ['host', 'test'],
    ['host', 'test'],
  ];

  it('on HTTP/1.1 by REST and gRPC-Web, with the status that HTTP asks for', async () => {
    const message = 'the request has 2 host headers (expected: 1)';
    for (const request of [
      { ...order, headers: [json, ...hosts] },
      { ...rpc, headers: [web, ...hosts] },
    ]) {
      const { status, body } = await ask('HTTP/1.1', request);

      expect([status, JSON.parse(body)]).toEqual([400, errorEnvelope(400, { reason, message })]);
    }
  });

  it.each([
    ['REST', order, json],
    ['gRPC', rpc, grpc],
    ['gRPC-Web', rpc, web],
  ] as const)('on HTTP/2 by %s with a reset of the stream', async (_face, request, type) => {
    expect((await ask('HTTP/2', { ...request, headers: [type, ...hosts] })).status).toBe(0);
  });
});

describe('what asks for something twice gets it not at all', () => {
  it.each(wireVersions)('request-timeout on %s', async (version) => {
    const twice: Field[] = [
      ['request-timeout', '5'],
      ['request-timeout', '5'],
    ];
    const { status, body } = await ask(version, { path: '/trial/context', headers: twice });

    expect([status, (JSON.parse(body) as { reason: string }).reason]).toEqual([400, 'MALFORMED_REQUEST_TIMEOUT']);
  });

  it.each<[string, string, string]>([
    ['grpc-timeout', '5S', '13'],
    ['grpc-encoding', 'gzip', '12'],
  ])('%s', async (name, value, expected) => {
    const twice: Field[] = [
      [name, value],
      [name, value],
    ];
    const native = await ask('HTTP/2', { ...rpc, headers: [grpc, ...twice] });
    const overWeb = await Promise.all(wireVersions.map((each) => ask(each, { ...rpc, headers: [web, ...twice] })));

    expect([native, ...overWeb].map(({ headers }) => headers['grpc-status'])).toEqual([expected, expected, expected]);
  });

  it.each(wireVersions)('x-request-id and traceparent on %s', async (version) => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { status, headers, body } = await ask(version, {
      path: '/trial/context',
      headers: [
        ['x-request-id', 'a-request-id-0123456789'],
        ['x-request-id', 'a-request-id-0123456789'],
        ['traceparent', trace],
        ['traceparent', trace],
      ],
    });

    expect(status).toBe(200);
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(body).not.toContain('0af7651916cd43dd8448eb211c80319c');
  });
});

describe('crumbs of a cookie', () => {
  it.each(wireVersions)('are one cookie on %s', async (version) => {
    const crumbs: Field[] = [
      ['cookie', 'a=1'],
      ['cookie', 'b=2; c=3'],
    ];
    const { body } = await ask(version, { path: '/trial/context?mode=cookie', headers: crumbs });
    const { data } = JSON.parse(body) as { data: { text: string } };

    expect(JSON.parse(data.text)).toMatchObject({ header: 'a=1; b=2; c=3' });
  });
});
