import { connect as connectHttp2 } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { EditedApp } from '../support/edited-app.js';
import { eventually } from '../support/eventually.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { callFrom, connectFrom, getHttp1, getHttp2, type Way } from '../support/peer-caller.js';
import { logTexts, PeersModule } from '../support/peers.module.js';
import { exchangeRaw } from '../support/raw-connection.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';

const inspect = methodOf(TrialService, 'Inspect');
// All of 127.0.0.0/8 is this machine: proxies and clients have real addresses of their own.
const proxy = '127.0.0.2';
const client = '127.0.0.9';
const trusted = { 'server.trustProxy': `${proxy}/32,fd00::/8`, 'log.level': 'info' };

let app: TrialApp | undefined;
let edited: EditedApp | undefined;
let child: ChildService | undefined;

afterEach(async () => {
  await app?.close();
  await edited?.close();
  await child?.dispose();
  app = edited = child = undefined;
});

async function start(set: Readonly<Record<string, unknown>>): Promise<number> {
  app = await TrialApp.start(PeersModule, { set });
  return app.port;
}

const parsed = (bytes: Buffer): Record<string, unknown> => JSON.parse(bytes.toString()) as Record<string, unknown>;

/** The peer that handlers see, by every transport; `log`: those of the access log. */
async function peersOf(way: Way): Promise<Record<string, unknown>> {
  logTexts.splice(0);
  const [http1, http2, rpc, web] = await Promise.all([
    getHttp1(way, '/seen'),
    getHttp2(way, '/seen'),
    callFrom(way, inspect, 'gRPC'),
    callFrom(way, inspect, 'gRPC-Web'),
  ]);
  const plain = parsed(await getHttp1(way, '/seen/plain')) as { data: { peer: string } };
  const lines = (): Record<string, unknown>[] =>
    logTexts.map((text) => JSON.parse(text) as Record<string, unknown>).filter(({ msg }) => msg === 'request');
  await eventually('the log has a line for each request', () => lines().length === 5);
  return {
    http1: parsed(http1).peer,
    ip: [parsed(http1).ip, parsed(http2).ip],
    http2: parsed(http2).peer,
    plain: plain.data.peer,
    grpc: peerIn(rpc),
    web: peerIn(web),
    log: [...new Set(lines().map(({ peer }) => peer))],
  };
}

function peerIn(reply: unknown): unknown {
  return (JSON.parse((reply as { text: string }).text) as { peer: unknown }).peer;
}

/** Every transport names this one peer. */
function everywhere(peer: string): Record<string, unknown> {
  return { http1: peer, ip: [peer, peer], http2: peer, plain: peer, grpc: peer, web: peer, log: [peer] };
}

describe('the peer of a request', () => {
  it.each<[string, Way['headers']]>([
    ['x-forwarded-for', { 'x-forwarded-for': '198.51.100.1' }],
    ['Forwarded', { forwarded: 'for=198.51.100.1;proto=https;host=evil.example' }],
    ['both', { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.1' }],
    ['headers of no standard', { 'x-real-ip': '198.51.100.1', 'x-client-ip': '198.51.100.1' }],
  ])('is the connection’s own where nobody is trusted, whatever a client says by %s', async (_name, headers = {}) => {
    const port = await start({ 'log.level': 'info' });

    expect(await peersOf({ port, from: client, headers })).toEqual(everywhere(client));
  });

  it.each<[string, Way['headers']]>([
    ['x-forwarded-for', { 'x-forwarded-for': '198.51.100.1' }],
    ['Forwarded', { forwarded: 'for=198.51.100.1' }],
    ['an address of the trusted proxies', { 'x-forwarded-for': proxy, forwarded: `for=${proxy}` }],
  ])(
    'is the connection’s own for a client that comes past the trusted proxy and sends %s',
    async (_name, headers = {}) => {
      const port = await start(trusted);

      expect(await peersOf({ port, from: client, headers })).toEqual(everywhere(client));
    },
  );

  it.each<[string, Way['headers'], string]>([
    ['x-forwarded-for', { 'x-forwarded-for': '203.0.113.7' }, '203.0.113.7'],
    ['what the client sent before it', { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' }, '203.0.113.7'],
    ['several lines', { 'x-forwarded-for': ['198.51.100.1', '203.0.113.7', 'fd00::2'] }, '203.0.113.7'],
    ['IPv6 with a port', { 'x-forwarded-for': '[2001:DB8::7]:443' }, '2001:db8::7'],
    ['Forwarded', { forwarded: 'for=198.51.100.1, for="[2001:db8::7]:443";proto=https' }, '2001:db8::7'],
    ['Forwarded behind an open quote', { forwarded: 'for=198.51.100.1;x=", for=203.0.113.7' }, '203.0.113.7'],
    ['a hidden name', { forwarded: 'for=198.51.100.1, for=_hidden' }, proxy],
    ['unknown', { 'x-forwarded-for': '198.51.100.1, unknown' }, proxy],
    ['garbage', { 'x-forwarded-for': '198.51.100.1, 203.0.113.7\u00a0' }, proxy],
    ['two headers that disagree', { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=198.51.100.1' }, proxy],
    ['nothing', {}, proxy],
  ])(
    'behind the trusted proxy is, by %s, the nearest address that is not trusted',
    async (_name, headers = {}, peer) => {
      const port = await start(trusted);

      expect(await peersOf({ port, from: proxy, headers })).toEqual(everywhere(peer));
    },
  );

  it('is as many hops away as server.trustProxy says', async () => {
    const port = await start({ 'server.trustProxy': 2, 'log.level': 'info' });
    const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7, 10.0.0.4' };

    expect(await peersOf({ port, from: client, headers })).toEqual(everywhere('203.0.113.7'));
  });

  it('is what the log and the counts of a refused request have, too', async () => {
    const port = await start({ ...trusted, 'server.limits.maxHeaderBytes': 1024 });
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    logTexts.splice(0);

    await getHttp1({ port, from: proxy, headers }, '/nowhere');
    await getHttp1({ port, from: proxy, headers }, '/%ff');
    await getHttp2({ port, from: proxy, headers: { ...headers, 'x-filler': 'x'.repeat(1500) } }, '/seen');
    await getHttp1({ port, from: proxy, headers: { ...headers, host: 'bad host' } }, '/seen');

    const lines = (): Record<string, unknown>[] =>
      logTexts.map((text) => JSON.parse(text) as Record<string, unknown>).filter(({ msg }) => msg === 'request');
    await eventually('the log has a line for each request', () => lines().length === 4);
    expect(lines().map(({ peer, httpStatus }) => [peer, httpStatus])).toEqual([
      ['203.0.113.7', 404],
      ['203.0.113.7', 400],
      ['203.0.113.7', 431],
      ['203.0.113.7', 400],
    ]);
  });

  it('is what the rate limit counts by: forwarded clients apart, a client that forges addresses as one', async () => {
    const port = await start({ 'server.trustProxy': proxy, 'quota.ratePerSecond': 1, 'quota.by': 'peer' });
    const codes = async (from: string, addresses: readonly string[]): Promise<unknown[]> => {
      const found: unknown[] = [];
      for (const address of addresses) {
        const way = { port, from, headers: { 'x-forwarded-for': address } };
        found.push(parsed(await getHttp1(way, '/seen/plain')).code);
      }
      return found;
    };

    expect(await codes(proxy, ['203.0.113.1', '203.0.113.2', '203.0.113.3'])).toEqual([200, 200, 200]);
    expect(await codes(client, ['203.0.113.4', '203.0.113.5', '203.0.113.6'])).toEqual([200, 429, 429]);
  });

  it('is one request’s own where a proxy sends those of many clients on one HTTP/2 connection', async () => {
    const port = await start(trusted);
    const socket = await connectFrom({ port, from: proxy }, 'h2');
    const session = connectHttp2('http://service.example', { createConnection: () => socket });
    const peers = await Promise.all(
      ['203.0.113.1', '203.0.113.2', '198.51.100.3'].map(async (address) => {
        const stream = session.request({ ':path': '/seen', 'x-forwarded-for': address });
        let text = '';
        for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
        return (JSON.parse(text) as { peer: unknown }).peer;
      }),
    );
    session.destroy();

    expect(peers).toEqual(['203.0.113.1', '203.0.113.2', '198.51.100.3']);
  });
});

describe('what handlers see of a forwarded request', () => {
  const headers = {
    'x-forwarded-for': '203.0.113.7, fd00::2',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example:8443',
  };

  it.each([
    ['HTTP/1.1', getHttp1],
    ['HTTP/2', getHttp2],
  ])('on %s: addresses, protocol and host that the trusted proxy names', async (_version, get) => {
    const port = await start(trusted);

    expect(parsed(await get({ port, from: proxy, headers }, '/seen'))).toEqual({
      peer: '203.0.113.7',
      ip: '203.0.113.7',
      ips: [proxy, 'fd00::2', '203.0.113.7'],
      protocol: 'https',
      host: 'shop.example:8443',
      hostname: 'shop.example',
      remoteAddress: proxy,
    });
    expect(parsed(await get({ port, from: client, headers }, '/seen'))).toEqual({
      peer: client,
      ip: client,
      ips: [client],
      protocol: 'http',
      host: 'service.example',
      hostname: 'service.example',
      remoteAddress: client,
    });
  });

  it('is as if nothing was forwarded where nobody is trusted', async () => {
    const port = await start({});

    expect(parsed(await getHttp1({ port, from: proxy, headers }, '/seen'))).toEqual({
      peer: proxy,
      ip: proxy,
      protocol: 'http',
      host: 'service.example',
      hostname: 'service.example',
      remoteAddress: proxy,
    });
  });

  it('on gRPC: getPeer() has the peer, metadata has what was sent', async () => {
    const port = await start(trusted);
    const seen = async (list: string): Promise<unknown> => {
      const way = { port, from: proxy, headers: { 'x-forwarded-for': list } };
      return JSON.parse(((await callFrom(way, inspect, 'gRPC')) as { text: string }).text);
    };

    expect(await seen('203.0.113.7')).toEqual({
      peer: '203.0.113.7',
      call: '203.0.113.7',
      forwarded: ['203.0.113.7'],
    });
    expect(await seen('[2001:db8::7]:4711')).toMatchObject({ call: '[2001:db8::7]:4711' });
    expect(await seen('203.0.113.7:4711')).toMatchObject({ call: '203.0.113.7:4711' });
  });
});

describe('an IPv4 client of a service that listens on IPv6', () => {
  it('is told by its IPv4 address on every transport, and trusted by it', async () => {
    const port = await start({ ...trusted, 'server.host': '::' });
    const headers = { 'x-forwarded-for': '203.0.113.7' };

    expect(await peersOf({ port, from: client, headers })).toEqual(everywhere(client));
    expect(await peersOf({ port, from: proxy, headers })).toEqual(everywhere('203.0.113.7'));
  });
});

describe('server.trustProxy while the service runs', () => {
  it('trustProxy holds for the next request, also on connections that are open', async () => {
    edited = await EditedApp.start({}, { application: PeersModule });
    const session = connectHttp2(edited.url);
    const ask = async (): Promise<unknown> => {
      const stream = session.request({ ':path': '/seen', 'x-forwarded-for': '203.0.113.7' });
      let text = '';
      for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
      return (JSON.parse(text) as { peer: unknown }).peer;
    };

    expect(await ask()).toBe('127.0.0.1');
    await edited.edit({ 'server.trustProxy': ['127.0.0.1'] });
    expect(await ask()).toBe('203.0.113.7');
    await edited.edit({ 'server.trustProxy': ['10.0.0.0/8'] });
    expect(await ask()).toBe('127.0.0.1');
    await edited.edit({ 'server.trustProxy': 1 });
    expect(await ask()).toBe('203.0.113.7');
    session.destroy();
  });

  it('proxyProtocol holds for the next connection', async () => {
    edited = await EditedApp.start({}, { application: PeersModule });
    const { port } = edited.test;
    const bytes =
      'PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\nGET /seen HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n';

    expect(await exchangeRaw(port, bytes)).toBe('');
    await edited.edit({ 'server.proxyProtocol': ['127.0.0.1'] });
    expect(await exchangeRaw(port, bytes)).toContain('"peer":"203.0.113.7"');
    await edited.edit({ 'server.proxyProtocol': false });
    expect(await exchangeRaw(port, bytes)).toBe('');
  });
});

describe('a service in a process of its own', () => {
  it.each([
    [
      { ROOKERY_HTTP__TRUST_PROXY: 'true' },
      'http.trustProxy: no longer a setting (set server.trustProxy: a number of proxies, or a list of their addresses; from ROOKERY_HTTP__TRUST_PROXY)',
    ],
    [
      { ROOKERY_HTTP__TRUST_PROXY: 'false' },
      'http.trustProxy: no longer a setting (set server.trustProxy: a number of proxies, or a list of their addresses; from ROOKERY_HTTP__TRUST_PROXY)',
    ],
    [
      { ROOKERY_SERVER__TRUST_PROXY: 'true' },
      'server.trustProxy: true (expected: number of proxies from 0 to 32, or a list of addresses such as 10.0.0.0/8 or ::1; from ROOKERY_SERVER__TRUST_PROXY)',
    ],
    [
      { ROOKERY_SERVER__PROXY_PROTOCOL: 'true' },
      'server.proxyProtocol: true (expected: list of addresses such as 10.0.0.0/8 or ::1, or true where server.trustProxy is one; from ROOKERY_SERVER__PROXY_PROTOCOL)',
    ],
  ])('does not start with %j', async (environment, problem) => {
    child = new ChildService(environment);
    const { code } = await child.exit;

    expect([code, child.stderr]).toEqual([1, expect.stringContaining(problem)]);
  });

  it.each([
    ['1', '203.0.113.7'],
    ['127.0.0.0/8,::1', '203.0.113.7'],
    ['10.0.0.0/8', '127.0.0.1'],
  ])('takes %j of the environment, and logs the peer', async (setting, peer) => {
    child = await ChildService.start({ ROOKERY_SERVER__TRUST_PROXY: setting });
    await http(child.url, { path: '/api/v1/users', headers: { 'x-forwarded-for': '203.0.113.7' } });

    expect(await child.line('request')).toMatchObject({ peer, httpStatus: 200 });
  });

  it('takes the PROXY protocol from addresses of the environment, and refuses what has no header', async () => {
    child = await ChildService.start({ ROOKERY_SERVER__PROXY_PROTOCOL: '127.0.0.0/8' });
    const request = 'GET /api/v1/users HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n';
    await exchangeRaw(child.port, `PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n${request}`);

    expect(await child.line('request')).toMatchObject({ peer: '203.0.113.7' });
    expect(await exchangeRaw(child.port, request)).toBe('');
    expect(await child.line('connection refused: a trusted proxy sent no PROXY header')).toMatchObject({
      peer: '127.0.0.1',
      connections: 1,
    });
  });
});
