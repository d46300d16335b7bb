import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyPair, TestAuthority } from '../support/certificates.js';
import { GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { exchangeRaw } from '../support/raw-connection.js';
import { TrialModule } from '../support/trial.module.js';
import { TrialService } from '../support/trial-proto.js';
import { openResources, type Resources, startTestService, type TestService, untilReleased } from 'rookery/testing';

const inspect = methodOf(TrialService, 'Inspect');
let before: Resources;
let authority: TestAuthority;
let server: KeyPair;
let client: KeyPair;
let ca: Buffer;

beforeAll(() => {
  before = openResources();
  authority = new TestAuthority();
  server = authority.issue('server');
  client = authority.issue('client');
  ca = readFileSync(authority.caFile);
});

afterAll(async () => {
  authority[Symbol.dispose]();
  await untilReleased(before);
});

function start(set: Record<string, unknown> = {}): Promise<TestService> {
  return startTestService(TrialModule, {
    set: { 'server.tls.certFile': server.certFile, 'server.tls.keyFile': server.keyFile, ...set },
  });
}

async function callOver(test: TestService, credentials: grpc.ChannelCredentials): ReturnType<GrpcCaller['call']> {
  const caller = new GrpcCaller(test.address, {}, credentials);
  const ended = await caller.call(inspect, [{}], { timeoutMs: 5000 });
  caller.close();
  return ended;
}

describe('a port with a certificate', () => {
  let test: TestService;

  beforeAll(async () => {
    test = await start();
  });

  afterAll(() => test.close());

  it('serves HTTP/1.1, HTTP/2 and gRPC, as ALPN says', async () => {
    const one = await http(test.url, { path: '/trial/context', tls: { ca } });
    const connection = await Http2Caller.connect(test.url, { ca });
    const two = await connection.request({ ':path': '/trial/context' });
    connection.close();
    const call = await callOver(test, grpc.credentials.createSsl(ca));

    expect(test.url).toMatch(/^https:/);
    expect(one.status).toBe(200);
    expect(two.status).toBe(200);
    expect(call.failure).toBeUndefined();
    expect(call.messages).toHaveLength(1);
  });

  it('tells who comes without TLS, and serves nothing', async () => {
    const answer = await exchangeRaw(test.port, 'GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n');

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('this port expects TLS (https)');
    expect(answer).not.toContain('"code":200');
  });

  it('is not fooled by HTTP/2 without TLS', async () => {
    expect(await exchangeRaw(test.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toBe('');
  });
});

describe('a port with client certificates', () => {
  let test: TestService;

  beforeAll(async () => {
    test = await start({ 'server.tls.clientCaFile': authority.caFile });
  });

  afterAll(() => test.close());

  it('serves who has one, on both faces', async () => {
    const own = { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) };
    const rest = await http(test.url, { path: '/trial/context', tls: { ca, ...own } });
    const call = await callOver(test, grpc.credentials.createSsl(ca, own.key, own.cert));

    expect(rest.status).toBe(200);
    expect(call.failure).toBeUndefined();
  });

  it('refuses who has none, and who has one of a stranger', async () => {
    using stranger = new TestAuthority('stranger');
    const other = stranger.issue('client');
    const own = { cert: readFileSync(other.certFile), key: readFileSync(other.keyFile) };

    await expect(http(test.url, { path: '/trial/context', tls: { ca } })).rejects.toThrow(
      /certificate|alert|ECONNRESET|EPIPE|hang up/i,
    );
    await expect(http(test.url, { path: '/trial/context', tls: { ca, ...own } })).rejects.toThrow(
      /certificate|alert|ECONNRESET|EPIPE|hang up/i,
    );
    expect(await callOver(test, grpc.credentials.createSsl(ca))).toMatchObject({ failure: { status: 'UNAVAILABLE' } });
  });
});
