import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../support/certificates.js';
import { methodOf } from '../support/grpc-caller.js';
import { HaProxy, haproxyAddress } from '../support/haproxy.js';
import { callFrom, getHttp1, getHttp2, type Way } from '../support/peer-caller.js';
import { isSkipped, peerTimeoutMs } from '../support/peers.js';
import { PeersModule } from '../support/peers.module.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';

const inspect = methodOf(TrialService, 'Inspect');
const client = '127.0.0.9';
const forged = '198.51.100.1';

let authority: TestAuthority;
let balanced: TrialApp;
let proxied: TrialApp;
let haproxy: HaProxy;

/** What a handler sees of its peer, by REST on both versions of HTTP, gRPC and gRPC-Web. */
async function peersOf(way: Way): Promise<unknown[]> {
  const [http1, http2, rpc, web] = await Promise.all([
    getHttp1(way, '/seen').then((bytes) => JSON.parse(bytes.toString()) as { peer: unknown }),
    getHttp2(way, '/seen').then((bytes) => JSON.parse(bytes.toString()) as { peer: unknown }),
    callFrom(way, inspect, 'gRPC').then(peerIn),
    callFrom(way, inspect, 'gRPC-Web').then(peerIn),
  ]);
  return [http1.peer, http2.peer, rpc, web];
}

function peerIn(reply: unknown): unknown {
  return (JSON.parse((reply as { text: string }).text) as { peer: unknown }).peer;
}

describe.skipIf(isSkipped('haproxy'))('behind HAProxy', () => {
  beforeAll(async () => {
    authority = new TestAuthority();
    const { certFile, keyFile } = authority.issue('server');
    const tls = { 'server.tls.certFile': certFile, 'server.tls.keyFile': keyFile, 'server.tls.allowCleartext': true };
    balanced = await TrialApp.start(PeersModule, { set: { ...tls, 'server.proxyProtocol': haproxyAddress } });
    proxied = await TrialApp.start(PeersModule, { set: { 'server.trustProxy': haproxyAddress } });
    const source = `source ${haproxyAddress}`;
    const tcp = (port: number, options: string): string[] => [
      'mode tcp',
      source,
      `server s 127.0.0.1:${port} ${options}`,
    ];
    const http = (...lines: string[]): string[] => ['mode http', source, ...lines];
    haproxy = await HaProxy.start({
      v1: tcp(balanced.port, 'send-proxy'),
      v2: tcp(balanced.port, 'send-proxy-v2'),
      v2sum: tcp(balanced.port, 'send-proxy-v2 proxy-v2-options crc32c,unique-id'),
      unannounced: tcp(balanced.port, ''),
      unwanted: tcp(proxied.port, 'send-proxy-v2'),
      list: http('option forwardfor', `server s 127.0.0.1:${proxied.port} proto h2`),
      field: http(
        'http-request del-header x-forwarded-for',
        'http-request add-header forwarded for=%[src];proto=http;host="%[req.hdr(host)]"',
        `server s 127.0.0.1:${proxied.port} proto h2`,
      ),
    });
  }, peerTimeoutMs);

  afterAll(async () => {
    await haproxy.close();
    // Each counts what is open since its start.
    await proxied.close();
    await balanced.close();
    authority[Symbol.dispose]();
  });

  it.each(['v1', 'v2', 'v2sum'])(
    'the PROXY protocol names the client, in the clear and before TLS: %s',
    async (name) => {
      const port = haproxy.ports[name] ?? 0;

      expect(await peersOf({ port, from: client })).toEqual(Array(4).fill(client));
      expect(await peersOf({ port, from: client, isTls: true })).toEqual(Array(4).fill(client));
    },
  );

  it('a client that forges headers or a PROXY header of its own behind it stays itself, or is refused', async () => {
    const way = { port: haproxy.ports['v2'] ?? 0, from: client };
    const headers = { 'x-forwarded-for': forged, forwarded: `for=${forged}` };
    const preamble = [Buffer.from(`PROXY TCP4 ${forged} 192.0.2.1 4711 443\r\n`)];

    expect(await peersOf({ ...way, headers })).toEqual(Array(4).fill(client));
    await expect(getHttp1({ ...way, preamble }, '/seen')).rejects.toThrow('socket hang up');
  });

  it.each(['unannounced', 'unwanted'])(
    'gets nothing where one side speaks the PROXY protocol and the other does not: %s',
    async (name) => {
      await expect(getHttp1({ port: haproxy.ports[name] ?? 0, from: client }, '/seen')).rejects.toThrow(
        'socket hang up',
      );
    },
  );

  it.each([
    ['list', { 'x-forwarded-for': forged }],
    ['field', { 'x-forwarded-for': forged, forwarded: `for=${forged}` }],
    ['field', { forwarded: `for=${forged};x="` }],
  ])('the header that it writes names the client, whatever the client wrote there: %s', async (name, headers) => {
    const way = { port: haproxy.ports[name] ?? 0, from: client };

    expect(await peersOf(way)).toEqual(Array(4).fill(client));
    expect(await peersOf({ ...way, headers })).toEqual(Array(4).fill(client));
  });

  it('a client that sends the header that it does not write gets no address of its own choice', async () => {
    const way = { port: haproxy.ports['list'] ?? 0, from: client, headers: { forwarded: `for=${forged}` } };

    expect(await peersOf(way)).toEqual(Array(4).fill(haproxyAddress));
  });
});
