import { Controller, Get, Module, Param, Query } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TrialApp } from '../support/trial-app.js';
import { TrialModule } from '../support/trial.module.js';
import { orderMessage, placeOrderPath } from '../support/trial-orders.js';
import { exchange, spoiled, type WireAnswer, type WireRequest, wireVersions } from '../support/wire-requests.js';
import { carriedTargets, refusedTargets } from '../support/wire-targets.js';

@Controller()
@Public()
class EchoController {
  @Get('echo/:id')
  echo(@Param() params: object, @Query() query: object): object {
    return { route: 'echo', params, query };
  }

  @Get('echo/:id/:more')
  echoMore(@Param() params: object, @Query() query: object): object {
    return { route: 'more', params, query };
  }

  @Get('wild/*')
  wild(@Param() params: object): object {
    return { route: 'wild', params };
  }
}

@Module({ imports: [TrialModule], controllers: [EchoController] })
class EchoModule {}

let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(EchoModule);
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

const body = orderMessage({ title: 'a' });
const web = (path: string): WireRequest => ({
  method: 'POST',
  path,
  headers: [['content-type', 'application/grpc-web']],
  body,
});
const native = (path: string): WireRequest => ({
  method: 'POST',
  path,
  headers: [['content-type', 'application/grpc']],
  body,
});
const grpcStatus = ({ headers, body: sent }: WireAnswer): string | undefined =>
  headers['grpc-status'] ?? /grpc-status: (\d+)/.exec(sent)?.[1];

/** Status and body, without what differs from request to request. */
function told({ status, body: sent }: WireAnswer): unknown {
  return [status, sent.replace(/"requestId":"[0-9a-f]+"/, '')];
}

describe('a target', () => {
  it('is served the same on both versions of HTTP, where it is one', { timeout: 60_000 }, async () => {
    expect(carriedTargets.length).toBeGreaterThan(200);
    const requests = carriedTargets.map((path) => ({ path }));
    const [http1 = [], http2 = []] = await Promise.all(wireVersions.map((each) => exchange(each, app.port, requests)));

    for (const [at, target] of carriedTargets.entries()) {
      expect(told(http2[at] as WireAnswer), target).toEqual(told(http1[at] as WireAnswer));
    }
    // By a first request a route may become one of the fast path, which serves the same.
    const again = await exchange('HTTP/2', app.port, requests);
    expect(again.map(told)).toEqual(http2.map(told));
    expect(new Set(http1.map(({ status }) => status))).toEqual(new Set([200, 400, 404]));
  });

  it('is refused on both, where it is none', { timeout: 60_000 }, async () => {
    const requests = refusedTargets.map((path) => ({ path }));
    const http1 = await exchange('HTTP/1.1', app.port, requests);
    // One by one: a connection is given up on which too much is malformed.
    const http2: WireAnswer[] = [];
    for (const request of requests) http2.push(...(await exchange('HTTP/2', app.port, [request])));

    expect(refusedTargets.filter((_, at) => http1[at]?.status !== 400)).toEqual([]);
    expect(refusedTargets.filter((_, at) => http2[at]?.status !== 0)).toEqual([]);
  });

  it('in absolute form is on HTTP/1.1 what its path is', async () => {
    const paths = ['/echo/a?b=c', '/echo/%2f', '/', '//', '/echo/..'];
    const plain = await exchange(
      'HTTP/1.1',
      app.port,
      paths.map((path) => ({ path })),
    );
    const absolute = await exchange(
      'HTTP/1.1',
      app.port,
      paths.map((path) => ({ path: `http://test${path}` })),
    );

    expect(absolute.map(told)).toEqual(plain.map(told));
    const broken = [
      'http://test/a"b',
      'http://test/a\\b',
      'http://test\\a',
      'http://test/\xa0',
      'http:///a',
      'http://a@test/',
    ];
    for (const path of broken) {
      expect(
        (await exchange('HTTP/1.1', app.port, [{ path }])).map(({ status }) => status),
        path,
      ).toEqual([400]);
    }
  });

  it('of an asterisk is for OPTIONS alone', async () => {
    for (const version of wireVersions) {
      const [options] = await exchange(version, app.port, [{ method: 'OPTIONS', path: '*' }]);
      const [get] = await exchange(version, app.port, [{ path: '*' }]);

      expect([version, options?.status, get?.status]).toEqual([version, 404, version === 'HTTP/2' ? 0 : 400]);
    }
  });
});

describe('a host', () => {
  const hosts = [
    ...['a', 'A.b', 'a.', 'a:80', 'a:', 'a:99999', '127.0.0.1', '[::1]', '[::1]:80', '[fe80::1%25eth0]', '[v1.a:b]'],
    ...['a_b', 'a~!$&()*+,;=-', 'a%20b', '%C3%A9', 'xn--9ca'],
  ];
  const none = [
    ...[
      'a b',
      'a/b',
      'a?b',
      'a#b',
      'u@a',
      'u:p@a',
      'a\\b',
      'a:b',
      'a:80:80',
      'a:-1',
      ':a',
      '[::1',
      '::1]',
      '[::1]a',
      '[g]',
    ],
    ...[
      '[]',
      '[v.a]',
      '[::1%eth0]',
      'a%',
      'a%2',
      'a%zz',
      '"a"',
      '<a>',
      'a{',
      'a|b',
      'a^b',
      'a`',
      '\xe9',
      '\xa0a',
      'a\xa0',
    ],
    ...['a\xc2\xa0', 'a:8\xa00', 'a:123456'],
  ];

  it.each(wireVersions)('is one by the same grammar on %s', { timeout: 60_000 }, async (version) => {
    const path = '/echo/a';
    const served = await exchange(
      version,
      app.port,
      hosts.map((authority) => ({ path, authority })),
    );
    const refused: WireAnswer[] = [];
    for (const authority of none) refused.push(...(await exchange(version, app.port, [{ path, authority }])));

    expect(hosts.filter((_, at) => served[at]?.status !== 200)).toEqual([]);
    expect(none.filter((_, at) => refused[at]?.status !== (version === 'HTTP/2' ? 0 : 400))).toEqual([]);
  });
});

describe('the path of a call', () => {
  const near = [
    placeOrderPath.toLowerCase(),
    `${placeOrderPath}/`,
    `/${placeOrderPath}`,
    `${placeOrderPath}?a`,
    `${placeOrderPath};a`,
    placeOrderPath.replace('/Place', '/./Place'),
    placeOrderPath.replace('Place', '%50lace'),
    placeOrderPath.replace('/Place', '%2FPlace'),
    placeOrderPath.replace('/Place', '//Place'),
  ];

  it('is taken as it is and in no other spelling, by gRPC and gRPC-Web on both versions', async () => {
    const paths = [placeOrderPath, ...near];
    const answers = await Promise.all([
      exchange('HTTP/2', app.port, paths.map(native)),
      ...wireVersions.map((version) => exchange(version, app.port, paths.map(web))),
    ]);

    for (const each of answers) expect(each.map(grpcStatus)).toEqual(['0', ...near.map(() => '12')]);
  });

  it('is taken with a byte more at no place', { timeout: 60_000 }, async () => {
    const others = spoiled(placeOrderPath).filter((path) => !/[ \t]/.test(path));
    const http1 = await exchange('HTTP/1.1', app.port, others.slice(0, 100).map(web));
    expect(http1.filter((answer) => grpcStatus(answer) === '0')).toEqual([]);
    for (const path of others.slice(0, 100)) {
      const [answer] = await exchange('HTTP/2', app.port, [native(path)]);
      expect(answer?.status).toBe(0);
    }
  });
});
