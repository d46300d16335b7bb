import { IsArray, IsInt, IsOptional, IsString } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import type { ConfigLayer } from './layer.js';
import { documentLayer, formatOf } from './text-formats.js';

function read(text: string, name: string): ConfigLayer {
  return documentLayer(text, formatOf(name), { name, kind: 'remote', origin: name });
}

function complaint(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message).join('\n');
    throw error;
  }
  return 'no complaint';
}

describe('formatOf', () => {
  it.each([
    ['app.yaml', undefined, 'yaml'],
    ['app.yml', 'text', 'yaml'],
    ['app.JSON', undefined, 'json'],
    ['app.properties', '', 'properties'],
    ['app', undefined, 'yaml'],
    ['app.yaml', 'JSON', 'json'],
    ['app', 'properties', 'properties'],
  ])('takes %s of type %s for %s', (name, type, expected) => {
    expect(formatOf(name, type)).toBe(expected);
  });

  it('refuses a type that is no configuration', () => {
    expect(complaint(() => formatOf('app', 'xml'))).toBe('app: type "xml" (expected: yaml, json or properties)');
  });
});

describe('jsonLayer', () => {
  it('reads JSON with tabs, and remembers lines', () => {
    const layer = read('{\n\t"a": {\n\t\t"b": [1, "\\t"],\n\t\t"c": null\n\t}\n}', 'a.json');

    expect(layer.tree).toEqual({ a: { b: [1, '\t'], c: null } });
    expect(layer.sources.get('a.b')).toBe('a.json:3');
  });

  it.each([
    ['what only YAML has', 'a: 1', 'a.json:1: not valid JSON'],
    ['a trailing comma', '{\n"a": 1,\n}', 'a.json:3: not valid JSON'],
    ['an end too soon', '{\n"hunter2": [1', 'a.json:2: not valid JSON'],
    ['a key twice', '{"a": 1,\n"a": 2}', 'a.json:2: a key stands twice in one mapping'],
    ['__proto__', '{"__proto__": 1}', 'a.json:1: key "__proto__" is refused'],
    ['a list', '[1]', 'a.json:1: not a mapping (expected: `section:` with keys below it)'],
    ['2000 levels', `${'['.repeat(2000)}${']'.repeat(2000)}`, 'a.json:1: nested deeper than 32 levels'],
    ['1 MiB + 1', `{"a":"${'x'.repeat(1_048_569)}"}`, 'a.json: 1048577 bytes (expected: at most 1048576)'],
  ])('refuses %s', (_what, text, expected) => {
    expect(complaint(() => read(text, 'a.json'))).toBe(expected);
  });

  it('takes an empty document as an empty layer', () => {
    expect(read(' \n', 'a.json').tree).toEqual({});
  });
});

describe('propertiesLayer', () => {
  it('reads separators, comments, continuations and escapes, and remembers the first line of each', () => {
    const text = [
      '# a comment',
      '! another',
      'a.b = 1',
      'a.c:2',
      'a.d 3',
      '',
      'a.list = x, \\',
      '         y',
      'a.text=\\u00e4\\tz\\=\\\\',
      'a.empty=',
      'a.key\\=x\\ y=no',
    ];

    expect(complaint(() => read(text.join('\r\n'), 'p.properties'))).toBe(
      'p.properties:11: not a path of the configuration: "a.key=x y"',
    );
    const layer = read(text.slice(0, -1).join('\r\n'), 'p.properties');
    expect(layer.tree).toEqual({ a: { b: '1', c: '2', d: '3', list: 'x, y', text: 'ä\tz=\\', empty: '' } });
    expect(layer.sources.get('a.list')).toBe('p.properties:7');
  });

  it('is read as what the class declares', () => {
    class POptions {
      @IsInt() readonly n: number = 0;
      @IsArray() @IsString({ each: true }) readonly list: string[] = [];
    }
    const store = new ConfigStore('test', [read('p.n=7\np.list=a,b', 'p.properties')]);

    expect(store.bind('p', POptions).value).toEqual({ n: 7, list: ['a', 'b'] });
    expect(complaint(() => store.replace(read('p.n=7x', 'p.properties')))).toBe(
      'p.n: a text (expected: integer number; from p.properties:1)',
    );
  });

  it.each([
    ['a key twice', 'a=1\nb=2\na=3', 'p.properties:3: a key stands twice'],
    ['a contradiction', 'a=1\na.b=2', 'p.properties:2: contradicts p.properties:1, which sets a part of its path'],
    ['__proto__', '__proto__.x=1', 'p.properties:1: not a path of the configuration: "__proto__.x"'],
    ['a broken escape', 'a=\\u12', 'p.properties:1: a \\u without four hexadecimal digits'],
    ['33 levels', `${Array(33).fill('a').join('.')}=1`, 'p.properties:1: nested deeper than 32 levels'],
    ['1 MiB + 1', `a=${'x'.repeat(1_048_575)}`, 'p.properties: 1048577 bytes (expected: at most 1048576)'],
  ])('refuses %s', (_what, text, expected) => {
    expect(complaint(() => read(text, 'p.properties'))).toBe(expected);
  });
});

describe('references', () => {
  class ROptions {
    @IsOptional() @IsInt() readonly port?: number;
    @IsOptional() @IsString() readonly url?: string;
    @IsOptional() @IsArray() readonly list?: unknown[];
  }
  const store = (yaml: string, environment: Record<string, string> = {}) =>
    new ConfigStore('test', [read(yaml, 'a.yaml')], environment);
  const bound = (yaml: string, environment: Record<string, string> = {}) =>
    store(yaml, environment).bind('r', ROptions).value;

  it('puts in values of other paths, alone with their type, and as text within a text', () => {
    expect(
      bound(
        'base: { port: 80, host: h, all: [1, { x: 2 }] }\nr: { port: "${base.port}", url: "http://${base.host}:${r.port}/", list: "${base.all}" }',
      ),
    ).toEqual({ port: 80, url: 'http://h:80/', list: [1, { x: 2 }] });
  });

  it('puts in variables, read as what the class declares, and defaults', () => {
    const yaml = 'r: { port: "${R_PORT:81}", url: "${R_URL:http://x:1}/${none.such:y}" }';

    expect(bound(yaml)).toEqual({ port: 81, url: 'http://x:1/y' });
    expect(bound(yaml, { R_PORT: '9', R_URL: '' })).toEqual({ port: 9, url: 'http://x:1/y' });
  });

  it('leave secret what is secret where it stands, also by way of others', () => {
    const yaml = (header: string): string =>
      `api: { token: hunter1 }\nr: { url: "${header}", list: ["\${api.token}", "\${r.url}"] }\nfree: "\${r.url}"`;
    const environment = { APP_PASSWORD: 'hunter2' };
    const present = store(yaml('x ${APP_PASSWORD} ${api.token}'), environment);
    expect(present.bind('r', ROptions).value.url).toBe('x hunter2 hunter1');

    present.replace(read(yaml('y ${APP_PASSWORD}'), 'a.yaml'));
    present.replace(read(yaml('public'), 'a.yaml'));

    expect(JSON.stringify(present.history)).not.toContain('hunter');
    const last = present.history.at(-1)?.changes;
    expect(last).toContainEqual({ path: 'r.url', before: '***', after: '***' });
    present.replace(read(yaml('z ${APP_PASSWORD}'), 'a.yaml'));
    expect(JSON.stringify(present.effective())).not.toContain('hunter');
  });

  it('put no secret into a message', () => {
    const present = new ConfigStore('test', [{ ...read('r: { port: "${APP_PASSWORD}" }', 'a.yaml'), kind: 'file' }], {
      APP_PASSWORD: 'hunter2',
    });

    expect(complaint(() => present.bind('r', ROptions))).toBe('r.port: *** (expected: integer number; from a.yaml:1)');
  });

  it('follows later layers, and changes with them', () => {
    const present = store('base: { port: 1 }\nr: { port: "${base.port}" }');
    const live = present.bind('r', ROptions);

    present.replace({ ...read('base: { port: 2 }', 'b.yaml') });

    expect(live.value.port).toBe(2);
  });

  it('leaves `$${` as `${`, and what comes from the environment as it is', () => {
    expect(bound('r: { url: "$${x}" }')).toEqual({ url: '${x}' });
    const present = store('');
    present.replace({ name: 'e', kind: 'environment', tree: { r: { url: '${x}' } }, sources: new Map() });
    expect(present.get('r.url')).toBe('${x}');
  });

  it.each([
    [
      'an unknown path',
      'r:\n  url: "${no.such}"',
      'r.url: ${no.such} leads nowhere (expected: a path that is set) (from a.yaml:2)',
    ],
    [
      'a variable that is not set',
      'r:\n  url: ${NO_SUCH}',
      'r.url: ${NO_SUCH} is not set (expected: a variable, or a default) (from a.yaml:2)',
    ],
    ['itself', 'r: { url: "x${r.url}" }', 'r.url: refers to itself: r.url -> r.url (from a.yaml:1)'],
    ['what holds it', 'r: { url: "${r}" }', 'r.url: refers to itself: r.url -> r (from a.yaml:1)'],
    [
      'a list within a text',
      'l: [1]\nr: { url: "x${l}" }',
      'r.url: ${l} is a list or a mapping (expected: it stands alone) (from a.yaml:2)',
    ],
  ])('refuses a reference to %s', (_what, yaml, expected) => {
    expect(complaint(() => store(yaml))).toBe(expected);
  });

  it('refuses circles, chains without end and texts that grow without end', () => {
    expect(complaint(() => store('a: { x: "${b.x}" }\nb: { x: "${a.x}" }'))).toContain(
      'refers to itself: a.x -> b.x -> a.x',
    );
    const chain = Array.from({ length: 20 }, (_, n) => `k${n}: { v: "\${k${n + 1}.v}" }`);
    expect(complaint(() => store([...chain, 'k20: { v: 1 }'].join('\n')))).toContain('references more than 16 deep');
    const bomb = Array.from({ length: 15 }, (_, n) => `k${n}: { v: "${`\${k${n + 1}.v}`.repeat(10)}" }`);
    expect(complaint(() => store([...bomb, 'k15: { v: xxxxxxxxxx }'].join('\n')))).toContain(
      'more than 10000 references',
    );
    const long = `big: { v: ${'x'.repeat(10_000)} }\nr: { url: "${'${big.v}'.repeat(200)}" }`;
    expect(complaint(() => store(long))).toBe(
      'r.url: longer than 1048576 characters with its references (from a.yaml:2)',
    );
  });

  it('keeps the effective values when a change breaks a reference', () => {
    const present = store('base: { port: 1 }\nr: { port: "${base.port}" }');
    const live = present.bind('r', ROptions);

    expect(complaint(() => present.replace(read('base: ~', 'b.yaml')))).toContain('${base.port} leads nowhere');

    expect(live.value.port).toBe(1);
  });
});
