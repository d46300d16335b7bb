import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.js';
import { ChildService, type LogLine } from '../support/child-service.js';
import { compiledProgram } from '../support/compiled-program.js';
import { eventually } from '../support/eventually.js';
import type { FrontReady } from '../support/front-main.js';
import { GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { TrialService } from '../support/trial-proto.js';

// What the other services say, in text, details and metadata.
const foreign = 'foreign-words-7f3a';

let grpcPeer: grpc.Server;
let httpPeer: Server;
let closed: string;
let peers: readonly string[];
let front: ChildService;
let url: string;
let caller: GrpcCaller;

beforeAll(async () => {
  grpcPeer = await startGrpcPeer();
  httpPeer = createServer(({ url: path }, response) => {
    if (path !== '/401') return;
    response.writeHead(401, { 'content-type': 'application/json', 'x-foreign': foreign });
    response.end(JSON.stringify({ code: 401, message: `${foreign}: who are you`, reason: 'THEIRS' }));
  }).listen(0, '127.0.0.1');
  await once(httpPeer, 'listening');
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  closed = `127.0.0.1:${portOf(gone)}`;
  gone.close();
  peers = [`127.0.0.1:${grpcPort}`, `127.0.0.1:${portOf(httpPeer)}`, closed];
  const path = await compiledProgram(['front-main', 'front-calls', 'front.controller', 'trial-proto', 'trial.dto']);
  front = new ChildService({ ROOKERY_ENV: 'production' }, { path, args: peers, nodeOptions: [] });
  const { port } = (await front.message()) as FrontReady;
  url = `http://127.0.0.1:${port}`;
  caller = new GrpcCaller(`127.0.0.1:${port}`);
}, 60_000);

afterAll(async () => {
  caller.close();
  await front.dispose();
  grpcPeer.forceShutdown();
  httpPeer.closeAllConnections();
  httpPeer.close();
});

let grpcPort = 0;
let inspections = 0;

async function startGrpcPeer(): Promise<grpc.Server> {
  const server = new grpc.Server();
  const info = create(ErrorInfoSchema, { reason: 'THEIRS', domain: foreign, metadata: { secret: foreign } });
  const details = toBinary(
    StatusSchema,
    create(StatusSchema, { code: 16, message: `${foreign}: who are you`, details: [anyPack(ErrorInfoSchema, info)] }),
  );
  const refusal = (): Partial<grpc.StatusObject> => {
    const metadata = new grpc.Metadata();
    metadata.set('x-foreign', foreign);
    metadata.set('grpc-status-details-bin', Buffer.from(details));
    return { code: grpc.status.UNAUTHENTICATED, details: `${foreign}: who are you`, metadata };
  };
  const path = (name: string): string => `/trial.service.v1.TrialService/${name}`;
  const plain = { requestSerialize: Buffer.from, responseSerialize: Buffer.from };
  const read = { requestDeserialize: (bytes: Buffer) => bytes, responseDeserialize: (bytes: Buffer) => bytes };
  const form = { ...plain, ...read, requestStream: false };
  const definition = {
    placeOrder: { ...form, path: path('PlaceOrder'), responseStream: false },
    inspect: { ...form, path: path('Inspect'), responseStream: false },
    produce: { ...form, path: path('Produce'), responseStream: true },
  } as unknown as grpc.ServiceDefinition;
  server.addService(definition, {
    placeOrder: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => done(refusal()),
    inspect: () => {
      inspections += 1;
    },
    produce: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      call.write(Buffer.alloc(0));
      call.emit('error', refusal());
    },
  });
  grpcPort = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
  return server;
}

const unavailable = [
  'UNAVAILABLE',
  503,
  'UPSTREAM_UNAVAILABLE',
  'a service that this one needs is not available',
] as const;
const failed = ['INTERNAL', 500, 'UPSTREAM_FAILED', 'a service that this one needs has failed'] as const;

/** Mode, what a client is told, and which peer the log names. */
const cases: readonly (readonly [mode: string, told: typeof unavailable | typeof failed, peer: number | undefined])[] =
  [
    ['ours', failed, 0],
    ['oursClosed', unavailable, 2],
    ['oursSlow', unavailable, 0],
    ['oursStream', failed, 0],
    ['ours asRpc', failed, 0],
    ['ours asCause', failed, 0],
    ['raw', failed, undefined],
    ['rawClosed', unavailable, undefined],
    ['raw asRpc', failed, undefined],
    ['rawClosed asRpc', unavailable, undefined],
    ['rawClosed asUnavailable', unavailable, undefined],
    ['raw asCause', failed, undefined],
    ['fetchClosed', unavailable, 2],
    ['fetchClosed asCause', unavailable, 2],
    ['fetch401', failed, undefined],
    ['fetch401 asCause', failed, undefined],
    ['fetchSlow', unavailable, undefined],
  ];

async function linesOf(requestId: string): Promise<readonly LogLine[]> {
  const lines = (): LogLine[] => front.lines.filter((line) => line.requestId === requestId);
  await eventually('the log', () => lines().some(({ msg }) => msg === 'request'));
  return lines();
}

let count = 0;
const nextId = (): string => `foreign-${(count += 1)}`;

describe('what a handler lets through of a failed call to another service', () => {
  it.each(cases)('tells a client of REST nothing of it: %s', async (mode, [status, code, reason, message], peer) => {
    for (const accept of ['application/json', 'application/problem+json']) {
      const requestId = nextId();
      const headers = { 'x-request-id': requestId, accept };
      const answer = await http(url, { method: 'POST', path: '/front', body: { mode }, headers });

      const envelope = { code, data: null, message, reason, requestId };
      const title = code === 500 ? 'Internal Server Error' : 'Service Unavailable';
      const problem = { type: 'about:blank', title, status: code, detail: message, reason, requestId };
      expect(answer.json).toEqual(accept === 'application/json' ? envelope : problem);
      expect(answer.status).toBe(code);
      expectNothingForeign(answer.text + JSON.stringify(answer.headers));
      const [fault, line] = await linesOf(requestId);
      expect(line).toMatchObject({ level: 'warn', msg: 'request', status, reason, fault: 'upstream' });
      expect(fault).toMatchObject({ level: 'warn', msg: 'request failed', fault: 'upstream' });
      expect(fault?.upstream).toBe(peer === undefined ? fault?.upstream : peers[peer]);
      // The whole of it, for who has to look into it.
      expect(JSON.stringify(fault?.err)).toMatch(/foreign-words-7f3a|ECONNREFUSED|Deadline exceeded|TimeoutError/);
    }
  });

  it.each(cases)('tells a client of gRPC nothing of it: %s', async (mode, [status, , reason, message]) => {
    for (const name of ['Fail', 'FailStream', 'FailUpload', 'FailChat']) {
      const requestId = nextId();
      const { failure, trailer } = await caller.call(methodOf(TrialService, name), [{ mode }], {
        metadata: { 'x-request-id': requestId },
      });

      expect(failure).toEqual({ status, message, reason, domain: 'rookery', requestId });
      expect(trailer.get('x-foreign')).toEqual([]);
      expectNothingForeign(JSON.stringify(trailer.getMap()));
      expectNothingForeign(Buffer.concat(trailer.get('grpc-status-details-bin') as Buffer[]).toString('latin1'));
    }
  });

  it('keeps the words that the service chose itself', async () => {
    const answer = await http(url, { method: 'POST', path: '/front', body: { mode: 'ours inOwnWords' } });
    const { failure } = await caller.call(methodOf(TrialService, 'Fail'), [{ mode: 'ours inOwnWords' }]);

    expect(answer.json).toMatchObject({ code: 404, message: 'there is no such order', reason: 'OWN_WORDS' });
    expect(failure).toMatchObject({ status: 'NOT_FOUND', message: 'there is no such order', reason: 'OWN_WORDS' });
  });

  it.each(['oursInherited', 'fetchInherited'])(
    "is its own deadline where that ended the call, and the client's where it asked for less: %s",
    async (mode) => {
      const requestId = nextId();
      const headers = { 'x-request-id': requestId, 'request-timeout': '0.06' };
      const answer = await http(url, { method: 'POST', path: '/front', body: { mode }, headers });
      const call = await caller.call(methodOf(TrialService, 'Fail'), [{ mode }], { serverTimeoutMs: 60 });

      expect(answer.json).toEqual({
        code: 504,
        data: null,
        message: 'deadline exceeded after 60 ms',
        reason: 'DEADLINE_EXCEEDED',
        requestId,
      });
      expect(call.failure).toMatchObject({ status: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' });
      expect(await linesOf(requestId)).toMatchObject([{ level: 'warn', msg: 'request', fault: 'client' }]);
    },
  );

  it('is a cancellation where the client went away', async () => {
    const requestId = nextId();
    const { call, ended } = caller.open(methodOf(TrialService, 'FailUpload'), {
      metadata: { 'x-request-id': requestId },
    });
    const before = inspections;
    call.write({ mode: 'oursInherited' });
    await eventually('the call is there', () => inspections > before);
    call.cancel();
    await ended;

    expect(await linesOf(requestId)).toMatchObject([
      { level: 'warn', msg: 'request', status: 'CANCELLED', fault: 'client' },
    ]);
  });
});

describe('passOn()', () => {
  const theirs = `${foreign}: who are you`;

  it('carries status, message and reason of our client to REST', async () => {
    const requestId = nextId();
    const headers = { 'x-request-id': requestId };
    const answer = await http(url, { method: 'POST', path: '/front', body: { mode: 'ours passedOn' }, headers });

    expect(answer.json).toEqual({ code: 401, data: null, message: theirs, reason: 'THEIRS', requestId });
    expect(answer.headers['x-foreign']).toBeUndefined();
  });

  it.each(['ours passedOn', 'raw passedOn'])('carries status, message and details to gRPC: %s', async (mode) => {
    const { failure, trailer } = await caller.call(methodOf(TrialService, 'Fail'), [{ mode }]);

    expect(failure).toEqual({
      status: 'UNAUTHENTICATED',
      message: theirs,
      reason: 'THEIRS',
      domain: foreign,
      metadata: { secret: foreign },
    });
    expect(trailer.get('x-foreign')).toEqual([]);
  });

  it('carries the response of an HTTP client', async () => {
    const answer = await http(url, { method: 'POST', path: '/front', body: { mode: 'fetch401 passedOn' } });
    const { failure } = await caller.call(methodOf(TrialService, 'Fail'), [{ mode: 'fetch401 passedOn' }]);

    expect(answer.json).toMatchObject({ code: 401, message: theirs, reason: 'UNAUTHENTICATED' });
    expect(failure).toMatchObject({ status: 'UNAUTHENTICATED', message: theirs, reason: 'UNAUTHENTICATED' });
  });

  it.each(['fetchClosed passedOn', 'rawClosed passedOn', 'oursClosed passedOn'])(
    'has nothing to carry where there was no response: %s',
    async (mode) => {
      const answer = await http(url, { method: 'POST', path: '/front', body: { mode } });

      expect(answer.json).toMatchObject({ code: 503, reason: 'UPSTREAM_UNAVAILABLE', message: unavailable[3] });
      expectNothingForeign(answer.text);
    },
  );
});

function expectNothingForeign(text: string): void {
  expect(text).not.toContain(foreign);
  expect(text).not.toMatch(/127\.0\.0\.1:|ECONN|fetch failed|grpc-js|THEIRS/);
}
