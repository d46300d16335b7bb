import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeNacos } from '../../../test/support/fake-nacos.js';
import { runConfigCommand } from './config-command.js';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'command-'));
});
afterEach(() => rm(directory, { recursive: true }));

// Whose secrets only its class knows.
const unmarked = ['warning: mine: what its classes mark as secret is not masked (expected: --app <file>)'];

async function run(argv: string[], environment: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runConfigCommand([...argv, '--directory', directory], {
    environment,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  return { code, out, err };
}

describe('rookery config print', () => {
  it('writes every effective value and where it comes from, secrets masked', async () => {
    const file = join(directory, 'application.yaml');
    await writeFile(file, 'server:\n  port: 9\nmine: { list: [1], password: hunter2, url: "x://u:hunter3@h" }\n');
    await writeFile(join(directory, 'application-production.yaml'), 'log: { level: warn }\n');
    const environment = { ROOKERY_AUTH__JWT__SECRET: 'hunter4-hunter4-hunter4-hunter4-', HOST: '127.0.0.1' };

    const { code, out, err } = await run(
      ['config', 'print', '--env', 'production', '--set', 'server.graceMs=7'],
      environment,
    );

    expect([code, err]).toEqual([0, unmarked]);
    expect(out).toEqual(out.toSorted());
    for (const line of [
      `server.port = 9  # ${file}:2`,
      `log.level = "warn"  # ${join(directory, 'application-production.yaml')}:1`,
      'server.host = "127.0.0.1"  # HOST',
      'server.graceMs = 7  # --set server.graceMs',
      'auth.jwt.secret = ***  # ROOKERY_AUTH__JWT__SECRET',
      'config.watch = true  # default',
      'server.limits.maxBodyBytes = 1048576  # default',
      `mine.password = ***  # ${file}:3`,
      `mine.url = "x://u:***@h"  # ${file}:3`,
      `mine.list[0] = 1  # ${file}:3`,
    ]) {
      expect(out).toContain(line);
    }
    expect(out.join('\n')).not.toContain('hunter');
  });
});

describe('rookery config print of lists', () => {
  it('writes each item with its place, secrets masked, and what is empty as such', async () => {
    const file = join(directory, 'application.yaml');
    await writeFile(
      file,
      'http:\n  cors:\n    origins:\n      - https://a.example\n      - https://b.example\n' +
        'mine: { rows: [[1], { token: hunter2 }, []], none: [], map: {} }\n',
    );

    const { out } = await run(['config', 'print']);

    const shown = out.filter((line) => /^(?:http[.]cors[.](?:origins|headers)|mine|features)\b/.test(line));
    expect(shown).toEqual([
      'features = {}  # default',
      'http.cors.headers = []  # default',
      `http.cors.origins[0] = "https://a.example"  # ${file}:4`,
      `http.cors.origins[1] = "https://b.example"  # ${file}:5`,
      `mine.map = {}  # ${file}:6`,
      `mine.none = []  # ${file}:6`,
      `mine.rows[0][0] = 1  # ${file}:6`,
      `mine.rows[1].token = ***  # ${file}:6`,
      `mine.rows[2] = []  # ${file}:6`,
    ]);
  });
});

describe('rookery config print with Nacos', () => {
  let fake: FakeNacos;

  beforeEach(async () => {
    fake = await FakeNacos.start();
  });
  afterEach(() => fake.close());

  const settings = (): Record<string, string> => ({
    ROOKERY_NACOS__ADDRESS: fake.server.address,
    ROOKERY_NACOS__GRPC_PORT: String(fake.grpcPort),
    ROOKERY_NACOS__SNAPSHOT__DIRECTORY: join(directory, 'snapshot'),
    ROOKERY_NACOS__PASSWORD: 'hunter2',
    ROOKERY_NACOS__USERNAME: 'nacos',
  });

  it('shows the values of the data ids, and leaves nothing behind', async () => {
    fake.login = () => ({ status: 200, body: { accessToken: 't', tokenTtl: 18_000 } });
    fake.contents.set('application.yaml', 'log: { level: warn }\nmine: { password: hunter3 }');

    const { code, out, err } = await run(['config', 'print'], settings());

    expect([code, err]).toEqual([0, unmarked]);
    for (const line of [
      'log.level = "warn"  # nacos:DEFAULT_GROUP/application.yaml:1',
      'mine.password = ***  # nacos:DEFAULT_GROUP/application.yaml:2',
      'nacos.password = ***  # ROOKERY_NACOS__PASSWORD',
      'nacos.group = "DEFAULT_GROUP"  # default',
    ]) {
      expect(out).toContain(line);
    }
    expect(out.join('\n')).not.toContain('hunter');
    expect(await readdir(directory)).toEqual([]);
    await vi.waitFor(() => expect(fake.streams.size).toBe(0));
  });

  it('warns where Nacos cannot be reached, and shows the rest', async () => {
    const environment = settings();
    await fake.close();

    const { code, out, err } = await run(['config', 'print'], environment);

    expect(code).toBe(0);
    expect(out).toContain('log.level = "info"  # default');
    expect(err).toEqual([expect.stringMatching(/^warning: nacos: .*; files and environment alone serve$/)]);
  });

  it('is not asked by check', async () => {
    fake.contents.set('application.yaml', 'log: { level: loud }');

    expect(await run(['config', 'check'], settings())).toEqual({ code: 0, out: [], err: [] });
    expect(fake.taken).toEqual([]);
  });
});

describe('rookery config check', () => {
  it('says nothing when all is well', async () => {
    expect(await run(['config', 'check'])).toEqual({ code: 0, out: [], err: [] });
  });

  it('tells every problem with file and line, and ends with 1', async () => {
    const file = join(directory, 'application.yaml');
    await writeFile(file, 'server:\n  prot: 9\nconfig:\n  pollMs: 1\n');

    expect(await run(['config', 'check'])).toEqual({
      code: 1,
      out: [],
      err: [
        `${file}:2: server.prot: unknown key (did you mean "port"?; from ${file}:2)`,
        `${file}:4: config.pollMs: 1 (expected: not less than 100; from ${file}:4)`,
      ],
    });
  });

  it('names each wrong item of a list, with its line and what is expected of it', async () => {
    const file = join(directory, 'application.yaml');
    const rule = 'expected: `*` or scheme://host[:port] in lower case, without a path';
    await writeFile(
      file,
      'http:\n  cors:\n    origins:\n      - https://a.example\n      - https://b.example\n      - b.example/\n      - 5\n',
    );

    expect((await run(['config', 'check'])).err).toEqual([
      `${file}:6: http.cors.origins[2]: "b.example/" (${rule}; from ${file}:6)`,
      `${file}:7: http.cors.origins[3]: 5 (${rule}; from ${file}:7)`,
    ]);
  });

  it('tells the line where a file cannot be read at all', async () => {
    await writeFile(join(directory, 'application.yaml'), 'a: 1\na: 2\n');

    expect(await run(['config', 'check'])).toEqual({
      code: 1,
      out: [],
      err: [`${join(directory, 'application.yaml')}:2: a key stands twice in one mapping`],
    });
  });

  it('knows the classes of the module it is given, and warns of what nobody reads', async () => {
    const app = join(directory, 'app.module.mjs');
    await writeFile(app, 'export {};');
    await writeFile(join(directory, 'application.yaml'), 'sever: { port: 1 }\n');

    const { code, err } = await run(['config', 'check', '--app', app]);

    expect(code).toBe(0);
    expect(err).toEqual([expect.stringContaining('warning: sever: no class reads it (did you mean "server"?')]);
    expect(await run(['config', 'check', '--app', join(directory, 'absent.js')])).toMatchObject({ code: 2 });
  });

  it.each([[[]], [['config']], [['config', 'delete']], [['config', 'print', 'x']], [['config', 'check', '--wat']]])(
    'explains itself when it is asked %j',
    async (argv) => {
      const { code, err } = await run(argv);

      expect(code).toBe(2);
      expect(err[0]).toMatch(/^usage: rookery config print\|check/);
    },
  );
});

describe('rookery config publish', () => {
  let nacos: FakeNacos;

  beforeEach(async () => {
    nacos = await FakeNacos.start();
  });
  afterEach(() => nacos.close());

  it('writes a file into Nacos, whatever is there now', async () => {
    const file = join(directory, 'greeting.yaml');
    await writeFile(file, 'greeting: { text: Hello. }\n');
    const { address, grpcPort } = nacos.server;
    const environment = { ROOKERY_NACOS__ADDRESS: address, ROOKERY_NACOS__GRPC_PORT: String(grpcPort) };

    const { code, out, err } = await run(['config', 'publish', 'application.yaml', file], environment);

    expect([code, err]).toEqual([0, []]);
    expect(out).toEqual([expect.stringMatching(/^published application\.yaml: 27 bytes, md5 [0-9a-f]{32}$/)]);
  });

  it.each([
    ['greeting: {', 1, /greeting\.yaml:\d+: /],
    [undefined, 1, /greeting\.yaml: cannot be read: ENOENT$/],
  ])('refuses %j before Nacos is asked', async (text, code, message) => {
    const file = join(directory, 'greeting.yaml');
    if (text !== undefined) await writeFile(file, text);

    const outcome = await run(['config', 'publish', 'application.yaml', file], {
      ROOKERY_NACOS__ADDRESS: nacos.server.address,
    });

    expect(outcome).toMatchObject({ code, out: [], err: [expect.stringMatching(message)] });
  });

  it('says that no Nacos is configured, and how it is used', async () => {
    const file = join(directory, 'greeting.yaml');
    await writeFile(file, 'a: 1');

    expect(await run(['config', 'publish', 'application.yaml', file])).toMatchObject({
      code: 1,
      err: [expect.stringMatching(/^nacos.address: no server/)],
    });
    expect((await run(['config', 'publish', 'application.yaml'])).code).toBe(2);
    expect((await run(['config', 'publish', 'a', 'b', 'c'])).code).toBe(2);
  });
});
