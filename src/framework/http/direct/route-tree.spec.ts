import fc from 'fast-check';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { RouteTree } from './route-tree.js';

const names = ['a', 'b', 'ab', 'B', ''];
const routeSegment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', ':x', ':y') },
  { weight: 1, arbitrary: fc.constantFrom(...names, '*', ':x-:y', ':x(^\\d+)', 'a*', '::a', ':x.b') },
);
const routes = fc.uniqueArray(
  fc.array(routeSegment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
  { minLength: 1, maxLength: 8 },
);
const pathSegment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', '1') },
  { weight: 1, arbitrary: fc.constantFrom(...names, 'c', 'a-b', 'a.b', ':a', '%61', 'a%2Fb', ';a', '#b', 'é') },
);
const paths = fc.array(
  fc.array(pathSegment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
  { minLength: 1, maxLength: 20 },
);

async function routerOf(
  urls: readonly string[],
): Promise<{ added: string[]; find: (path: string) => Promise<unknown> }> {
  const app = fastify({ exposeHeadRoutes: false });
  const added: string[] = [];
  for (const url of urls) {
    try {
      app.get(url, (request) => ({ url, params: { ...(request.params as object) } }));
      added.push(url);
    } catch {
      // Two ways to write one route, or none at all.
    }
  }
  await app.ready();
  return {
    added,
    find: async (url) => {
      const answer = await app.inject({ method: 'GET', url });
      return answer.statusCode === 200 ? answer.json<unknown>() : undefined;
    },
  };
}

describe('RouteTree', () => {
  it('finds the route that Fastify serves, or none, whatever the routes and the path', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(routes, paths, async (urls, asked) => {
        const { added, find } = await routerOf(urls);
        const tree = new RouteTree<string>();
        for (const url of added) tree.add('GET', url, url);
        for (const path of asked) {
          const match = tree.find('GET', path);
          if (match === undefined) continue;
          found += 1;
          expect({ url: match.target, params: { ...match.params } }).toEqual(await find(path));
        }
      }),
      { numRuns: 400 },
    );
    expect(found).toBeGreaterThan(100);
    // Each run starts an application, on a machine that may have others to do.
  }, 60_000);

  it('finds what is written out before parameters, and takes back what leads nowhere', () => {
    const tree = new RouteTree<string>();
    for (const url of ['/users/:id', '/users/me', '/users/me/name', '/users/:id/posts/:post'])
      tree.add('GET', url, url);

    expect(tree.find('GET', '/users/me')?.target).toBe('/users/me');
    expect(tree.find('GET', '/users/7')).toEqual({ target: '/users/:id', params: { id: '7' } });
    expect(tree.find('GET', '/users/me/posts/1')?.params).toEqual({ id: 'me', post: '1' });
    expect(tree.find('GET', '/users/me/mail')).toBeUndefined();
    expect(tree.find('POST', '/users/me')).toBeUndefined();
  });

  it('leaves to the router what a wildcard, an escape or nothing might mean', () => {
    const tree = new RouteTree<string>();
    for (const url of ['/:a/b', '/a/*', '/x/:id']) tree.add('GET', url, url);

    for (const path of ['/a/b', '/x/%31', '/x/', '/x/1#2', 'x/1', `/x/${'1'.repeat(3000)}`])
      expect(tree.find('GET', path)).toBeUndefined();
    expect(tree.find('GET', '/c/b')?.target).toBe('/:a/b');
  });

  it('gives no route of which there are two, nor one that is not to be found here', () => {
    const tree = new RouteTree<string>();
    tree.add('GET', '/twice', 'first');
    tree.add('GET', '/twice', 'second');
    tree.add('GET', '/foreign', undefined);

    expect(tree.find('GET', '/twice')).toBeUndefined();
    expect(tree.find('GET', '/foreign')).toBeUndefined();
  });

  it('gives parameters of which none is inherited', () => {
    const tree = new RouteTree<string>();
    tree.add('GET', '/:id', 'one');
    const params = tree.find('GET', '/1')?.params;

    expect(params?.['toString']).toBeUndefined();
    expect(params?.['constructor']).toBeUndefined();
  });
});
