import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { callFrom, connectFrom, getHttp1, getHttp2, type Way } from '../support/peer-caller.js';
import { logTexts, PeersModule } from '../support/peers.module.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';

const inspect = methodOf(TrialService, 'Inspect');
const balancer = '127.0.0.2';
const client = '127.0.0.9';

const text = 'PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n';
const signature = '\r\n\r\n\0\r\nQUIT\n';
// PROXY, TCP over IPv6, 36 bytes of addresses and a TLV.
const binary = Buffer.concat([
  Buffer.from(signature, 'latin1'),
  Buffer.from([0x21, 0x21, 0, 40]),
  Buffer.from([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]),
  Buffer.alloc(16, 1),
  Buffer.from([0x12, 0x67, 0x01, 0xbb, 0x04, 0, 1, 0]),
]);
const local = Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.from([0x20, 0, 0, 0])]);

const whole = (header: string | Buffer): Buffer[] => [Buffer.from(header as string, 'latin1')];
const byteByByte = (header: string | Buffer): Buffer[] =>
  [...Buffer.from(header as string, 'latin1')].map((byte) => Buffer.from([byte]));

let authority: TestAuthority;
let app: TrialApp;

beforeAll(() => {
  authority = new TestAuthority();
});

afterAll(() => authority[Symbol.dispose]());

afterEach(() => app.close());

async function start(set: Readonly<Record<string, unknown>> = {}): Promise<number> {
  logTexts.splice(0);
  const { certFile, keyFile } = authority.issue('server');
  app = await TrialApp.start(PeersModule, {
    set: {
      'server.proxyProtocol': balancer,
      'server.tls.certFile': certFile,
      'server.tls.keyFile': keyFile,
      'server.tls.allowCleartext': true,
      'log.level': 'info',
      ...set,
    },
  });
  return app.port;
}

const jsonOf = (bytes: Buffer): Record<string, unknown> => JSON.parse(bytes.toString()) as Record<string, unknown>;

const rpcPeer = async (way: Way, version: 'gRPC' | 'gRPC-Web'): Promise<unknown> =>
  (JSON.parse(((await callFrom(way, inspect, version)) as { text: string }).text) as { call: unknown }).call;

/** The peer by each transport, the two of REST with what `request.socket` says. */
async function peersOf(way: Way): Promise<unknown[]> {
  const [http1, http2, rpc, web] = await Promise.all([
    getHttp1(way, '/seen').then(jsonOf),
    getHttp2(way, '/seen').then(jsonOf),
    rpcPeer(way, 'gRPC'),
    rpcPeer(way, 'gRPC-Web'),
  ]);
  return [http1.peer, http1.ip, http1.remoteAddress, http2.peer, http2.ip, http2.remoteAddress, rpc, web];
}

function everywhere(address: string, port: number): unknown[] {
  const host = address.includes(':') ? `[${address}]` : address;
  return [...Array<string>(6).fill(address), `${host}:${port}`, `${host}:${port}`];
}

/** What a connection gets on which `bytes` are all that is sent. */
async function received(port: number, from: string, bytes: string | Buffer): Promise<string> {
  const socket = await connectFrom({ port, from }, '');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes, 'latin1');
  await new Promise((resolve) => socket.on('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

const noted = (message: string): Record<string, unknown>[] =>
  logTexts.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === message);

async function refusals(): Promise<Record<string, number>> {
  // Asked from an address that sends no header.
  const { text: page } = await http(app.url, {
    path: '/metrics',
    tls: { rejectUnauthorized: false, localAddress: client },
    token: app.test.token({ scope: 'metrics:read' }),
  });
  const found = page.matchAll(/^rookery_connections_proxy_header_refused_total\{reason="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, reason = '', value]) => [reason, Number(value)]));
}

describe('a connection of a trusted sender of the PROXY protocol', () => {
  it.each<[string, string | Buffer, string]>([
    ['version 1', text, '203.0.113.7'],
    ['version 2', binary, '2001:db8::7'],
  ])(
    'comes from the address that %s names, in the clear and before TLS, in one piece and byte by byte',
    async (_name, header, peer) => {
      const port = await start();

      for (const isTls of [false, true]) {
        for (const preamble of [whole(header), byteByByte(header)]) {
          expect(await peersOf({ port, from: balancer, preamble, isTls })).toEqual(everywhere(peer, 4711));
        }
      }
      await eventually('the log names the peer', () => noted('request').length === 16);
      expect(new Set(noted('request').map((line) => line.peer))).toEqual(new Set([peer]));
    },
  );

  it.each([
    ['UNKNOWN', 'PROXY UNKNOWN\r\n'],
    ['LOCAL', local],
  ])('is the sender’s own where the header says %s', async (_name, header) => {
    const port = await start();
    const way = { port, from: balancer, preamble: whole(header) };

    expect((await peersOf(way)).slice(0, 6)).toEqual(Array(6).fill(balancer));
  });

  it('has its request served where it comes in the packet of the header', async () => {
    const port = await start();
    const request = 'GET /seen HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n';

    expect(await received(port, balancer, `${text}${request}`)).toContain('"peer":"203.0.113.7"');
  });

  it('is trusted for forwarded headers by the address that the header names, and not by its own', async () => {
    const port = await start({ 'server.trustProxy': '203.0.113.0/24' });
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    const seen = async (header: string): Promise<unknown> =>
      jsonOf(await getHttp1({ port, from: balancer, preamble: whole(header), headers }, '/seen')).peer;

    expect(await seen(text)).toBe('198.51.100.1');
    expect(await seen('PROXY TCP4 192.0.2.9 192.0.2.1 4711 443\r\n')).toBe('192.0.2.9');
    expect(await seen('PROXY UNKNOWN\r\n')).toBe(balancer);
  });

  it('may come from any address of server.trustProxy where server.proxyProtocol is true', async () => {
    const port = await start({ 'server.proxyProtocol': true, 'server.trustProxy': balancer });
    const way = { port, from: balancer, preamble: whole(text) };

    expect(jsonOf(await getHttp1(way, '/seen')).peer).toBe('203.0.113.7');
    expect(jsonOf(await getHttp1({ port, from: client }, '/seen')).peer).toBe(client);
  });
});

describe('a connection is refused, without a byte of response,', () => {
  it.each<[string, string | Buffer]>([
    ['a request without a header', 'GET /seen HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['HTTP/2 without a header', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS without a header', '\u0016\u0003\u0001\u0002\0'],
    ['lower case', 'proxy tcp4 203.0.113.7 192.0.2.1 4711 443\r\n'],
  ])('when a trusted sender begins with %s', async (_name, bytes) => {
    const port = await start();

    expect(await received(port, balancer, bytes)).toBe('');
    expect(await refusals()).toEqual({ malformed: 0, missing: 1, late: 0, untrusted: 0 });
    expect(noted('connection refused: a trusted proxy sent no PROXY header')).toMatchObject([{ peer: balancer }]);
  });

  it.each<[string, string | Buffer]>([
    ['a line without CR', 'PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\n'],
    ['an address that is none', 'PROXY TCP4 203.0.113.777 192.0.2.1 4711 443\r\n'],
    ['a line that is too long', `PROXY UNKNOWN ${'x'.repeat(500)}`],
    ['an unknown command', Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.from([0x2f, 0x11, 0, 0])])],
    ['a length without end', Buffer.concat([Buffer.from(signature, 'latin1'), Buffer.from([0x21, 0x11, 0xff, 0xff])])],
  ])('when its header is %s', async (_name, bytes) => {
    const port = await start();

    expect(await received(port, balancer, bytes)).toBe('');
    expect(await refusals()).toEqual({ malformed: 1, missing: 0, late: 0, untrusted: 0 });
    expect(noted('PROXY header refused: malformed')).toMatchObject([{ peer: balancer, connections: 1 }]);
  });

  it('when its header does not come in time', async () => {
    const port = await start({ 'server.limits.firstByteTimeoutMs': 300 });

    expect(await received(port, balancer, text.slice(0, 20))).toBe('');
    expect(await received(port, balancer, '')).toBe('');
    expect(await refusals()).toEqual({ malformed: 0, missing: 0, late: 2, untrusted: 0 });
  });

  it('when nothing follows its header in time', async () => {
    const port = await start({ 'server.limits.firstByteTimeoutMs': 300 });

    expect(await received(port, balancer, text)).toBe('');
    expect(await refusals()).toEqual({ malformed: 0, missing: 0, late: 0, untrusted: 0 });
  });

  it.each<[string, string | Buffer]>([
    ['version 1', text],
    ['version 2', binary],
  ])('when another address sends a header of %s', async (_name, header) => {
    const port = await start();
    const request = Buffer.from('GET /seen HTTP/1.1\r\nhost: a\r\n\r\n');

    expect(await received(port, client, Buffer.concat([Buffer.from(header as string, 'latin1'), request]))).toBe('');
    expect(await refusals()).toEqual({ malformed: 0, missing: 0, late: 0, untrusted: 1 });
    expect(noted('PROXY header refused: its sender is not in server.proxyProtocol')).toMatchObject([{ peer: client }]);
  });

  it('when a client sends a header of its own behind that of the trusted sender', async () => {
    const port = await start();
    const forged = text.replace('203.0.113.7', '198.51.100.1');

    expect(await received(port, balancer, `${text}${forged}GET /seen HTTP/1.1\r\nhost: a\r\n\r\n`)).toBe('');
    expect(await refusals()).toMatchObject({ untrusted: 1 });
  });

  it('again and again, with one line of the log a minute', async () => {
    const port = await start();
    await Promise.all(Array.from({ length: 20 }, () => received(port, balancer, 'GET / HTTP/1.1\r\n\r\n')));

    expect(await refusals()).toMatchObject({ missing: 20 });
    expect(noted('connection refused: a trusted proxy sent no PROXY header')).toHaveLength(1);
  });
});

describe('a header of the PROXY protocol', () => {
  it('names nobody where the protocol is off, split at any byte', async () => {
    const port = await start({ 'server.proxyProtocol': false, 'server.trustProxy': balancer });
    const request = 'GET /seen HTTP/1.1\r\nhost: a\r\n\r\n';

    for (const at of [0, 1, 4, 6, 12]) {
      const socket = await connectFrom({ port, from: balancer, preamble: [Buffer.from(text.slice(0, at))] }, '');
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.write(`${text.slice(at)}${request}`);
      await new Promise((resolve) => socket.on('close', resolve));
      expect(Buffer.concat(chunks).toString()).not.toContain('203.0.113.7');
    }
    expect(noted('request').filter(({ peer }) => peer !== balancer)).toEqual([]);
  });

  it('is no part of a service’s life for who only looks whether the port is open', async () => {
    const port = await start();
    const socket = await connectFrom({ port, from: balancer }, '');
    socket.end();
    await new Promise((resolve) => socket.resume().on('close', resolve));

    expect(await refusals()).toEqual({ malformed: 0, missing: 0, late: 0, untrusted: 0 });
    expect(jsonOf(await getHttp1({ port, from: client }, '/seen')).peer).toBe(client);
  });
});
