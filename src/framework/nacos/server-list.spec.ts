import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.js';
import { nacosSettings } from './nacos.options.js';
import { addressOf, parseServer, ServerList } from './server-list.js';

const reasonOf = (work: () => unknown): string => {
  try {
    work();
    return 'no failure';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('an address', () => {
  it.each([
    ['nacos', { host: 'nacos', port: 8848, grpcPort: 9848 }],
    ['nacos-0.nacos.svc:80', { host: 'nacos-0.nacos.svc', port: 80, grpcPort: 1080 }],
    ['[::1]:8858', { host: '[::1]', port: 8858, grpcPort: 9858 }],
  ])('%s is read', (address, server) => {
    expect(parseServer(address)).toEqual(server);
  });

  it('may name the gRPC port apart', () => {
    expect(parseServer({ address: 'nacos:80', grpcPort: 443 })).toEqual({ host: 'nacos', port: 80, grpcPort: 443 });
  });

  it.each(['', 'http://nacos:8848', 'ann:s3cret@nacos:8848', 'nacos:0', 'nacos:65536', '::1', 'nacos/path'])(
    '%s is refused, and not repeated',
    (address) => {
      expect(reasonOf(() => parseServer(address))).toBe(
        'servers: an address cannot be read (expected: host or host:port, without scheme or user)',
      );
    },
  );

  it('is refused where the gRPC port would be none', () => {
    expect(reasonOf(() => parseServer('nacos:65000'))).toBe('grpcPort: 66000 (expected: 1 to 65535)');
  });
});

describe('the list', () => {
  const servers = ['a:1', 'b:2', 'c:3'].map(parseServer);
  const next = (list: ServerList, count: number): string[] =>
    Array.from({ length: count }, () => addressOf(list.next()));

  it('takes the servers in turn', () => {
    expect(next(new ServerList(servers, 1), 4)).toEqual(['b:2', 'c:3', 'a:1', 'b:2']);
  });

  it('takes an advised one once, then goes on', () => {
    const list = new ServerList(servers, 0);
    list.advise('c', 3);

    expect(next(list, 3)).toEqual(['c:3', 'a:1', 'b:2']);
  });

  it('keeps the distance between the ports for one that it does not know', () => {
    const list = new ServerList([parseServer({ address: 'a:100', grpcPort: 150 })], 0);
    list.advise('d', 4);

    expect(list.next()).toEqual({ host: 'd', port: 4, grpcPort: 54 });
  });

  it('takes no advice that makes no sense', () => {
    const list = new ServerList(servers, 0);
    list.advise('d', Number.NaN);

    expect(next(list, 1)).toEqual(['a:1']);
  });
});

describe('the pause before connecting again', () => {
  it('doubles up to its bound, and its upper half is left to chance', () => {
    expect([1, 2, 3, 4, 1000].map((attempt) => backoffMs(attempt, 100, 500, 1))).toEqual([100, 200, 400, 500, 500]);
    expect(backoffMs(3, 100, 500, 0)).toBe(200);
  });
});

describe('the options', () => {
  it.each([
    [{ servers: [] }, 'servers: none (expected: at least one)'],
    [{ username: 'ann' }, 'username, password: one of them is missing (expected: both or none)'],
    [{ healthCheckIdleMs: 20_000 }, 'healthCheckIdleMs: 20000 (expected: an integer, 100 to 15000)'],
    [{ minBackoffMs: 500, maxBackoffMs: 100 }, 'maxBackoffMs: 100 (expected: an integer, 500 to 600000)'],
    [{ contextPath: 'nacos?' }, 'contextPath: nacos? (expected: a path such as /nacos)'],
  ])('%j are refused', (options, message) => {
    expect(reasonOf(() => nacosSettings({ servers: ['nacos'], ...options }))).toBe(message);
  });

  it('have the login by TLS where requests are', () => {
    const tls = { ca: 'pem' };

    expect(nacosSettings({ servers: ['nacos'], tls }).loginTls).toBe(tls);
    expect(nacosSettings({ servers: ['nacos'], tls, loginTls: false }).loginTls).toBeUndefined();
  });
});
