import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeOrderPath, orderMessage } from '../support/trial-orders.js';
import { ReferenceApp } from '../support/reference-app.js';
import { tokens } from '../support/tokens.js';
import { TrialApp } from '../support/trial-app.js';
import {
  exchange,
  spoiled,
  type WireAnswer,
  type WireRequest,
  type WireVersion,
  wireVersions,
} from '../support/wire-requests.js';

let app: TrialApp;
let reference: ReferenceApp;
let etag = '';
let modified = '';
const token = tokens.writer();

beforeAll(async () => {
  app = await TrialApp.start(undefined, {
    set: { 'http.cors.origins': ['https://a.example'], 'http.compressionMinBytes': 1, 'grpc.compression': 'gzip' },
  });
  reference = await ReferenceApp.start();
  const [file] = await exchange('HTTP/1.1', reference.test.port, [{ path: '/api/v1/files/welcome.txt' }]);
  etag = file?.headers['etag'] ?? '';
  modified = file?.headers['last-modified'] ?? '';
});

afterAll(async () => {
  await reference.close();
  await app.stillServes();
  await app.close();
});

/** A word of the protocol, the request that has it, and what shows that it was understood. */
interface Word {
  readonly name: string;
  readonly clean: () => string;
  readonly request: (word: string) => WireRequest;
  readonly isTaken: (answer: WireAnswer, word: string) => boolean;
  readonly port?: () => number;
  /** Those that speak of gRPC are for HTTP/2 alone. */
  readonly versions?: readonly WireVersion[];
}

const onReference = (): number => reference.test.port;
const order = Buffer.from('{"title":"a"}');
const file = '/api/v1/files/welcome.txt';
const context = '/trial/context';
const json: readonly [string, string] = ['content-type', 'application/json'];
const seen = ({ body }: WireAnswer): Record<string, unknown> =>
  JSON.parse((JSON.parse(body) as { data: { text: string } }).data.text) as Record<string, unknown>;
const traceId = '0af7651916cd43dd8448eb211c80319c';

const header = (name: string, path: string, more: Partial<WireRequest> = {}): Word['request'] => {
  const { headers = [] } = more;
  return (word) => ({ path, ...more, headers: [...headers, [name, word]] });
};
const call = (name: string, more: readonly (readonly [string, string])[] = []): Word['request'] =>
  header(name, placeOrderPath, {
    method: 'POST',
    headers: [['te', 'trailers'], ...more],
    body: orderMessage({ title: 'a' }),
  });
const grpcType: readonly [string, string] = ['content-type', 'application/grpc'];

const words: readonly Word[] = [
  {
    name: 'authorization',
    clean: () => `Bearer ${token}`,
    request: header('authorization', '/api/v1/users/999', { method: 'DELETE' }),
    isTaken: ({ status }) => status === 404,
    port: onReference,
  },
  {
    name: 'content-type',
    clean: () => 'application/json',
    request: header('content-type', '/trial/orders', { method: 'POST', body: order }),
    isTaken: ({ status }) => status === 201,
  },
  {
    name: 'content-type with a parameter',
    clean: () => 'application/json; charset=utf-8',
    request: header('content-type', '/trial/orders', { method: 'POST', body: order }),
    isTaken: ({ status }) => status === 201,
  },
  {
    name: 'request-timeout',
    clean: () => '7',
    request: header('request-timeout', context),
    isTaken: ({ status }) => status === 200,
  },
  {
    name: 'x-request-id',
    clean: () => 'a-request-id-0123456789',
    request: header('x-request-id', context),
    isTaken: ({ headers }, word) => headers['x-request-id'] === word,
  },
  {
    name: 'traceparent',
    clean: () => `00-${traceId}-b7ad6b7169203331-01`,
    request: header('traceparent', context),
    isTaken: (answer) => answer.status === 200 && seen(answer)['traceId'] === traceId,
  },
  {
    name: 'accept',
    clean: () => 'application/problem+json',
    request: header('accept', '/nowhere'),
    isTaken: ({ headers }) => headers['content-type']?.startsWith('application/problem+json') === true,
  },
  {
    name: 'expect',
    clean: () => '100-continue',
    request: header('expect', '/trial/orders', { method: 'POST', body: order, headers: [json] }),
    isTaken: ({ status }) => status === 201,
  },
  {
    name: 'accept-encoding',
    clean: () => 'gzip;q=1',
    request: header('accept-encoding', '/openapi.json'),
    isTaken: ({ headers }) => headers['content-encoding'] === 'gzip',
  },
  {
    name: 'accept-encoding of what is compressed for each',
    clean: () => 'gzip;q=1',
    request: header('accept-encoding', '/trial/orders', {
      method: 'POST',
      body: order,
      headers: [json],
    }),
    isTaken: ({ headers }) => headers['content-encoding'] === 'gzip',
  },
  {
    name: 'origin',
    clean: () => 'https://a.example',
    request: header('origin', context),
    isTaken: ({ headers }) => headers['access-control-allow-origin'] !== undefined,
  },
  {
    name: 'access-control-request-headers',
    clean: () => 'x-a',
    request: header('access-control-request-headers', context, {
      method: 'OPTIONS',
      headers: [
        ['origin', 'https://a.example'],
        ['access-control-request-method', 'GET'],
      ],
    }),
    isTaken: ({ headers }) => headers['access-control-allow-headers'] !== undefined,
  },
  {
    name: 'access-control-request-method',
    clean: () => 'GET',
    request: header('access-control-request-method', context, {
      method: 'OPTIONS',
      headers: [['origin', 'https://a.example']],
    }),
    isTaken: ({ headers }) => headers['access-control-allow-methods'] !== undefined,
  },
  {
    name: 'if-none-match',
    clean: () => etag,
    request: header('if-none-match', file),
    isTaken: ({ status }) => status === 304,
    port: onReference,
  },
  {
    name: 'if-none-match with an asterisk',
    clean: () => '*',
    request: header('if-none-match', file),
    isTaken: ({ status }) => status === 304,
    port: onReference,
  },
  {
    name: 'if-modified-since',
    clean: () => modified,
    request: header('if-modified-since', file),
    isTaken: ({ status }) => status === 304,
    port: onReference,
  },
  {
    name: 'range',
    clean: () => 'bytes=0-3',
    request: header('range', file),
    isTaken: ({ status }) => status === 206,
    port: onReference,
  },
  {
    name: 'if-range with a date',
    clean: () => modified,
    request: header('if-range', file, { headers: [['range', 'bytes=0-3']] }),
    isTaken: ({ status }) => status === 206,
    port: onReference,
  },
  {
    name: 'if-range with a tag',
    clean: () => etag,
    request: header('if-range', file, { headers: [['range', 'bytes=0-3']] }),
    isTaken: ({ status }) => status === 206,
    port: onReference,
  },
  {
    name: 'content-type of gRPC-Web',
    clean: () => 'application/grpc-web+proto',
    request: call('content-type'),
    isTaken: ({ status, body }) => status === 200 && body.includes('grpc-status: 0'),
  },
  {
    name: 'accept of gRPC-Web',
    clean: () => 'application/grpc-web-text',
    request: call('accept', [['content-type', 'application/grpc-web']]),
    isTaken: ({ headers }) => headers['content-type']?.startsWith('application/grpc-web-text') === true,
  },
  {
    name: 'content-type of gRPC',
    clean: () => 'application/grpc+proto',
    request: call('content-type'),
    isTaken: ({ headers }) => headers['grpc-status'] === '0',
    versions: ['HTTP/2'],
  },
  {
    name: 'content-type of gRPC with a parameter',
    clean: () => 'application/grpc;a=b',
    request: call('content-type'),
    isTaken: ({ headers }) => headers['grpc-status'] === '0',
    versions: ['HTTP/2'],
  },
  {
    name: 'grpc-timeout',
    clean: () => '7S',
    request: call('grpc-timeout', [grpcType]),
    isTaken: ({ headers }) => headers['grpc-status'] === '0',
    versions: ['HTTP/2'],
  },
  {
    name: 'grpc-encoding',
    clean: () => 'gzip',
    request: call('grpc-encoding', [grpcType]),
    isTaken: ({ headers }) => headers['grpc-status'] === '0',
    versions: ['HTTP/2'],
  },
  {
    name: 'grpc-accept-encoding',
    clean: () => 'gzip',
    request: call('grpc-accept-encoding', [grpcType]),
    isTaken: ({ headers }) => headers['grpc-encoding'] === 'gzip',
    versions: ['HTTP/2'],
  },
];

describe.each(words)('$name', ({ clean, request, isTaken, port = () => app.port, versions = wireVersions }) => {
  it.each(versions)(
    'is taken on %s as it is, and with a byte more at no place',
    { timeout: 60_000 },
    async (version) => {
      const word = clean();
      const all = spoiled(word);
      const answers = await exchange(version, port(), [word, ...all].map(request));

      const taken = [word, ...all].filter((each, at) => isTaken(answers[at] as WireAnswer, each));
      expect(taken.slice(0, 8)).toEqual([word]);
      expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    },
  );
});
