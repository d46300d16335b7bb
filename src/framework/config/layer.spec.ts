import { describe, expect, it } from 'vitest';
import { type ConfigLayer, type LayerKind, mergeLayers, originOf } from './layer.js';

function layer(
  name: string,
  kind: LayerKind,
  tree: Record<string, unknown>,
  sources: Record<string, string> = {},
): ConfigLayer {
  return { name, kind, tree, sources: new Map(Object.entries(sources)) };
}

describe('mergeLayers', () => {
  it('merges mappings key by key and replaces lists and scalars', () => {
    const { tree } = mergeLayers([
      layer('a', 'file', { x: { one: 1, two: 2 }, list: [1, 2, 3], text: 'a' }),
      layer('b', 'file', { x: { two: 22 }, list: [9], text: { now: 'a mapping' } }),
    ]);

    expect(tree).toEqual({ x: { one: 1, two: 22 }, list: [9], text: { now: 'a mapping' } });
  });

  it('removes by null, also whole sections and within new ones', () => {
    const { tree } = mergeLayers([
      layer('a', 'file', { x: { one: 1, two: 2 }, y: { z: 1 } }),
      layer('b', 'file', { x: { one: null }, y: null, fresh: { a: null, b: 1 } }),
    ]);

    expect(tree).toEqual({ x: { two: 2 }, fresh: { b: 1 } });
  });

  it('takes kinds in their order, whatever the order they come in', () => {
    const { tree, origins } = mergeLayers([
      layer('arguments', 'arguments', { a: '4' }),
      layer('environment', 'environment', { a: '3', b: '3' }),
      layer('nacos', 'remote', { a: 2, b: 2, c: 2 }),
      layer('file', 'file', { a: 1, b: 1, c: 1, d: 1 }),
    ]);

    expect(tree).toEqual({ a: '4', b: '3', c: 2, d: 1 });
    expect(originOf(origins, 'b')).toEqual({ source: 'environment', isText: true, isVerbatim: true });
    expect(originOf(origins, 'c')).toEqual({ source: 'nacos', isText: false, isVerbatim: false, isRemote: true });
  });

  it('tells the place of a value, of an item, and of what is not there by its nearest holder', () => {
    const { origins } = mergeLayers([
      layer(
        'a',
        'file',
        { s: { port: 1, list: [{ x: 1 }] } },
        { s: 'a:1', 's.port': 'a:2', 's.list': 'a:3', 's.list[0].x': 'a:4' },
      ),
      layer('b', 'file', { s: { port: 2 } }, { s: 'b:1', 's.port': 'b:2' }),
    ]);

    expect(originOf(origins, 's.port')?.source).toBe('b:2');
    expect(originOf(origins, 's.list[0].x')?.source).toBe('a:4');
    expect(originOf(origins, 's.list[0].y')?.source).toBe('a:3');
    expect(originOf(origins, 's.absent')?.source).toBe('a:1');
    expect(originOf(origins, 'absent')).toBeUndefined();
  });

  it('forgets the places of what was replaced', () => {
    const { origins } = mergeLayers([
      layer('a', 'file', { s: { deep: { x: 1 } } }, { 's.deep.x': 'a:3' }),
      layer('b', 'file', { s: { deep: 'flat' } }, { 's.deep': 'b:2' }),
    ]);

    expect(originOf(origins, 's.deep.x')?.source).toBe('b:2');
  });

  it('does not reach a prototype', () => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}') as Record<
      string,
      unknown
    >;

    const { tree } = mergeLayers([layer('a', 'remote', hostile)]);

    expect(tree).toEqual({});
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('shares nothing with the layers', () => {
    const source = { list: [{ a: 1 }] };

    const { tree } = mergeLayers([layer('a', 'file', source)]);
    (tree['list'] as { a: number }[])[0] = { a: 2 };

    expect(source.list[0]).toEqual({ a: 1 });
  });
});
