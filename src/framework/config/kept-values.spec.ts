import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ConfigPrefix, KeptOnRollback, Secret } from '../core/index.js';
import { ConfigStore } from './config-store.js';
import { type ConfigLayer, valueAt } from './layer.js';
import { withPresentValues } from './kept-values.js';
import { yamlLayer } from './yaml-layer.js';

class KeyOptions {
  @IsOptional() @IsString() @Secret() readonly code?: string;
  @IsOptional() @IsString() readonly file?: string;
}

@ConfigPrefix('kept')
class KeptOptions {
  @IsInt() readonly n: number = 0;
  @IsOptional() @IsString() readonly apiKey?: string;
  @IsOptional() @IsString() readonly url?: string;
  @ValidateNested() @Type(() => KeyOptions) @KeptOnRollback() readonly key: KeyOptions = new KeyOptions();
}

const layer = (text: string, name = 'id'): ConfigLayer => yamlLayer(text, { name, kind: 'remote', origin: name });

function started(text: string) {
  const store = new ConfigStore('test', [layer(text)]);
  const live = store.of(KeptOptions);
  const before = store.checkpoint();
  const set = (next: string, name?: string) => store.apply([layer(next, name)], { source: 'centre' });
  const back = () => store.restore(before, { source: 'probation' });
  return { store, live, set, back };
}

describe('a rollback', () => {
  it.each([
    ['marked as secret', 'key: { code: old }', 'key: { code: new }', { key: { code: 'new' } }],
    ['named like a secret', 'apiKey: old', 'apiKey: new', { apiKey: 'new' }],
    ['kept by name', 'key: { file: old.pem }', 'key: { file: new.pem }', { key: { file: 'new.pem' } }],
    ['chosen by another option', 'key: { code: old }', 'key: { file: new.pem }', { key: { file: 'new.pem' } }],
    ['taken away', 'key: { code: old }', 'key: {}', { key: {} }],
    ['new', 'key: {}', 'key: { code: new }', { key: { code: 'new' } }],
    ['a password in a URL', 'url: "a://u:old@h"', 'url: "a://u:new@h"', { url: 'a://u:new@h' }],
  ])('keeps the present value of what is %s, and puts the rest back', (_, old, fresh, expected) => {
    const { store, live, set, back } = started(`kept: { n: 1, ${old} }`);
    set(`kept: { n: 2, ${fresh} }`);

    back();

    expect(live.value).toMatchObject({ n: 1, ...expected });
    expect(JSON.stringify(live.value)).not.toContain('old');
    expect(store.version).toBe(3);
    expect(store.failures).toEqual([]);
  });

  it('keeps a secret that came with another document', () => {
    const { live, set, back, store } = started('kept: { n: 1, apiKey: old }');
    set('kept: { apiKey: new }', 'secrets');
    set('kept: { n: 2 }');

    back();

    expect(live.value).toMatchObject({ n: 1, apiKey: 'new' });
    expect(store.sourceOf('kept.apiKey')).toContain('secrets');
  });

  it('keeps a secret that no class is bound to, also inside a list', () => {
    const { store, set, back } = started('kept: { n: 1 }\nfree: { peers: [{ password: old }], size: 1 }');
    set('kept: { n: 2 }\nfree: { peers: [{ password: new }], size: 2 }');

    back();

    expect(store.get('free')).toEqual({ peers: [{ password: 'new' }], size: 1 });
  });

  it('keeps a secret that is referred to by its name', () => {
    const { live, set, back } = started('kept: { n: 1, apiKey: "${vault.token}" }\nvault: { token: old }');
    set('kept: { n: 2, apiKey: "${vault.token}" }\nvault: { token: new }');

    back();

    expect(live.value).toMatchObject({ n: 1, apiKey: 'new' });
  });

  it('is given up where a reference would bring the earlier secret back', () => {
    const { store, live, set, back } = started('kept: { n: 1, apiKey: "${vault.one}" }\nvault: { one: old }');
    set('kept: { n: 2, apiKey: "${vault.one}" }\nvault: { one: new }');

    expect(back).toThrow('would take an earlier secret up again');

    expect(live.value).toMatchObject({ n: 2, apiKey: 'new' });
    expect(store.failures).toMatchObject([
      { source: 'probation', message: expect.stringMatching(/^kept\.apiKey: /) as unknown },
    ]);
    expect(store.failures[0]?.message).not.toContain('old');
  });

  it('is given up where the earlier state is not valid with the present secret', () => {
    const { store, live, set, back } = started('kept: { n: 1, apiKey: old }');
    live.subscribe({
      prepare: ({ n, apiKey }) => {
        if (n === 1 && apiKey === 'new') throw new Error('the two do not go together');
      },
    });
    set('kept: { n: 2, apiKey: new }');

    expect(back).toThrow('the two do not go together');

    expect(live.value).toMatchObject({ n: 2, apiKey: 'new' });
    expect(store.failures).toMatchObject([
      { source: 'probation', message: 'kept: refused: the two do not go together' },
    ]);
  });

  it('is given up where only secrets differ', () => {
    const { store, live, set, back } = started('kept: { n: 1, apiKey: old }');
    set('kept: { n: 1, apiKey: new }');

    expect(back).toThrow('nothing to put back: secrets and keys keep their present values');

    expect(live.value).toMatchObject({ n: 1, apiKey: 'new' });
    expect(store.version).toBe(2);
    expect(store.failures.map(({ source }) => source)).toEqual(['probation']);
  });

  it('holds back the document that it took back, until that says something else', () => {
    const { live, set, back } = started('kept: { n: 1, apiKey: old }');
    set('kept: { n: 2, apiKey: new }');
    back();

    set('kept: { n: 2, apiKey: new }');
    expect(live.value).toMatchObject({ n: 1, apiKey: 'new' });
    set('kept: { n: 3, apiKey: new }');

    expect(live.value).toMatchObject({ n: 3, apiKey: 'new' });
  });
});

describe('withPresentValues', () => {
  it('takes a value over with its place, and leaves both sides as they were', () => {
    const [old, fresh] = [layer('a: { x: 1, y: 2 }\nb: 3'), layer('\na: { y: 5 }')];

    const [made] = withPresentValues([old], [fresh], ['a.y', 'a.x', 'c']);

    expect(made?.tree).toEqual({ a: { y: 5 }, b: 3 });
    expect(made?.sources.get('a.y')).toBe(fresh.sources.get('a.y'));
    expect(made?.sources.has('a.x')).toBe(false);
    expect([valueAt(old.tree, 'a'), fresh.tree]).toEqual([{ x: 1, y: 2 }, { a: { y: 5 } }]);
  });

  it('takes a holder over as a whole where it is one value on either side', () => {
    const [made] = withPresentValues([layer('a: { x: 1 }')], [layer("a: '${other}'")], ['a.x']);

    expect(made?.tree).toEqual({ a: '${other}' });
  });

  it('leaves layers alone in which nothing differs', () => {
    const same = layer('a: 1', 'same');

    expect(withPresentValues([same], [same], ['a'])).toEqual([same]);
    expect(withPresentValues([], [layer('b: 1')], ['a'])).toEqual([]);
  });
});
