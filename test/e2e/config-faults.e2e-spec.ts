import { rename, writeFile } from 'node:fs/promises';
import { Global, Module } from '@nestjs/common';
import { configToken } from 'rookery/config';
import { type Live } from 'rookery/core';
import { LOG_DESTINATION } from 'rookery/telemetry';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GreetingService } from '../../src/gen/greeting/service/v1/greeting_pb.js';
import { AppModule } from '../../src/service/app.module.js';
import { GreetingConfig } from '../../src/service/greeting/greeting.config.js';
import { EditedApp } from '../support/edited-app.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';

const waiting = { timeout: 20_000, interval: 20 };
// Stands in everything that is wrong here, and nowhere else.
const secret = 'hunter2-never-printed';
const getGreeting = methodOf(GreetingService, 'GetGreeting');

const texts: string[] = [];
const destination = { write: (text: string): void => void texts.push(text) };

@Global()
@Module({ providers: [{ provide: LOG_DESTINATION, useValue: destination }], exports: [LOG_DESTINATION] })
class LogCaptureModule {}

@Module({ imports: [LogCaptureModule, AppModule] })
class LoggedModule {}

const good = (text: string, more = ''): string => `health: { cacheMs: 0 }
server: { host: 127.0.0.1 }
config: { settleMs: 10, pollMs: 200 }
users: { seed: true }
files: { directory: /tmp/rookery-test-no-files }
log: { level: info }
greeting: { text: ${text} }
${more}`;

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start(
    { 'users.seed': true, 'files.directory': '/tmp/rookery-test-no-files' },
    { application: LoggedModule, fromFile: ['log.level'] },
  );
});

beforeEach(async () => {
  await app.write(good(`before ${expect.getState().currentTestName?.length} ${Math.random()}`));
  await app.write(good('good'));
  texts.splice(0);
});

afterAll(() => app.close());

async function greetings(): Promise<string[]> {
  const [rest, call] = await Promise.all([
    http(app.url, { path: '/api/v1/greeting' }),
    app.caller.call(getGreeting, [{}]),
  ]);
  return [(rest.json as { data: { text: string } }).data.text, (call.messages[0] as { text: string }).text];
}

const nested = (depth: number): string => `deep: ${'{ a: '.repeat(depth)}${secret}${' }'.repeat(depth)}`;
const bomb = [
  `a0: &a0 [${secret}, ${secret}]`,
  ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`),
].join('\n');

describe('a file that is wrong', () => {
  it.each<[what: string, text: string, message: RegExp]>([
    ['is no YAML', `greeting: { text: "${secret} }\n`, /application-test\.yaml:\d+: not valid YAML/],
    ['is a list', `- ${secret}\n`, /application-test\.yaml:1: not a mapping/],
    ['is a text', `${secret}\n`, /application-test\.yaml:1: not a mapping/],
    [
      'has a text where a section is',
      `greeting: ${secret}\n`,
      /^greeting: not a mapping .*application-test\.yaml:1\)$/,
    ],
    [
      'has a list where a section is',
      `greeting: [${secret}]\n`,
      /^greeting: not a mapping .*application-test\.yaml:1\)$/,
    ],
    [
      'has a mapping where a text is',
      `greeting: { text: { a: ${secret} } }\n`,
      /^greeting\.text: .*application-test\.yaml:1\)$/,
    ],
    [
      'has a value out of range',
      good('x', `paging: { maxPageSize: 987654321 }`),
      /^paging\.maxPageSize: a number \(expected: .*10000.*application-test\.yaml:8\)$/,
    ],
    [
      'has a value of the wrong type',
      good('x', `paging: { maxPageSize: ${secret} }`),
      /^paging\.maxPageSize: a text \(expected: integer.*application-test\.yaml:8\)$/,
    ],
    [
      'has a secret that is too short',
      good('x', 'auth: { jwt: { previousSecret: hunter2 } }'),
      /^auth\.jwt\.previousSecret: [*]{3} .*application-test\.yaml:8\)$/,
    ],
    [
      'has an unknown key',
      good('x', `paging: { maxPagesize: ${secret} }`),
      /^paging\.maxPagesize: unknown key \(did you mean "maxPageSize"\?; from .*application-test\.yaml:8\)$/,
    ],
    [
      'refers to what is not there',
      good('x', 'paging: { maxPageSize: "${gone.away}" }'),
      /paging\.maxPageSize.*gone\.away/,
    ],
    [
      'has a key twice',
      good('x', `greeting: { text: ${secret} }`),
      /application-test\.yaml:8: a key stands twice in one mapping/,
    ],
    [
      'would reach a prototype',
      good('x', `__proto__: { polluted: ${secret} }`),
      /application-test\.yaml:8: key "__proto__" is refused/,
    ],
    ['is nested too deeply', good('x', nested(40)), /application-test\.yaml:8: nested deeper than 32 levels/],
    [
      'is nested beyond all measure',
      good('x', nested(50_000)),
      /application-test\.yaml.*: nested deeper than 32 levels/,
    ],
    ['is an alias bomb', good('x', bomb), /application-test\.yaml:\d+: more than (?:20000 values|100 aliases)/],
    ['has an unknown tag', good('x', `paging: !!js/function "${secret}"`), /application-test\.yaml:8: unknown tag/],
    [
      'is two documents',
      `${good('x')}---\ngreeting: { text: ${secret} }\n`,
      /application-test\.yaml:\d+: more than one document/,
    ],
    [
      'has 1 MiB and a byte',
      `${good('x')}#${secret}`.padEnd(1_048_577, 'x'),
      /application-test\.yaml: 1048577 bytes \(expected: at most 1048576\)/,
    ],
  ])('that %s changes nothing, and the log says where and not what', async (_what, text, message) => {
    const outcome = await app.write(text);

    expect(outcome).toMatchObject({ source: 'files', message: expect.stringMatching(message) as unknown });
    expect(await greetings()).toEqual(['good', 'good']);
    const ready = await http(app.url, { path: '/health/ready' });
    expect([ready.status, ready.json]).toMatchObject([200, { details: { config: { stale: ['files'] } } }]);
    const log = texts.join('');
    expect(log).toMatch(/version \d+ stays; files: /);
    for (const shown of [log, JSON.stringify(outcome), ready.text]) {
      expect(shown).not.toContain('hunter2');
      expect(shown).not.toContain('987654321');
    }
    await app.write(good('good again'));
    expect(await greetings()).toEqual(['good again', 'good again']);
    expect(app.test.service.config.failures).toEqual([]);
  });

  it('that is no text changes nothing', async () => {
    const path = app.path('application-test.yaml');
    await writeFile(`${path}.new`, Buffer.from([0x67, 0x3a, 0x20, 0xff, 0xfe, 0x0a]));
    await rename(`${path}.new`, path);

    await vi.waitFor(
      () => expect(app.test.service.config.failures[0]?.message).toMatch(/application-test\.yaml: not UTF-8$/),
      waiting,
    );

    expect(await greetings()).toEqual(['good', 'good']);
  });
});

describe('a file from which things vanish', () => {
  it('goes back to the default of a key, and to all defaults when it stays empty', async () => {
    await app.write(good('good', 'paging: { maxPageSize: 2 }').replace('greeting: { text: good }', ''));
    expect(await greetings()).toEqual(['Welcome to the rookery.', 'Welcome to the rookery.']);
    await app.write(good('good'));
    expect(await greetings()).toEqual(['good', 'good']);

    await app.write('');
    expect(await greetings()).toEqual(['Welcome to the rookery.', 'Welcome to the rookery.']);
  });

  it('keeps the effective value where what vanished is still referred to', async () => {
    await app.write(good('"${shared.name}"', 'shared: { name: Ann }'));
    expect(await greetings()).toEqual(['Ann', 'Ann']);

    const outcome = await app.write(good('"${shared.name}"'));

    expect(outcome).toMatchObject({ message: expect.stringContaining('shared.name') as unknown });
    expect(await greetings()).toEqual(['Ann', 'Ann']);
  });
});

function activeHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name !== 'TCPSocketWrap' && name !== 'Timeout').length;
}

describe('1000 changes in a few seconds', () => {
  it('end at the last, are seen in their order, lose no request, and leave nothing behind', {
    timeout: 60_000,
  }, async () => {
    const live = app.test.service.app.get<Live<GreetingConfig>>(configToken(GreetingConfig), { strict: false });
    const versionBefore = app.test.service.config.version;
    const seen: number[] = [];
    const leave = live.subscribe(({ text }) => seen.push(Number(text)));
    const handles = activeHandles();
    let isOver = false;
    const answers = { good: 0, bad: 0 };
    const load = (async () => {
      while (!isOver) {
        for (const text of await greetings()) answers[text === '' ? 'bad' : 'good'] += 1;
      }
    })();

    for (let number = 1; number <= 1000; number += 1) {
      const path = app.path('application-test.yaml');
      await writeFile(`${path}.new`, good(`"${number}"`));
      await rename(`${path}.new`, path);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await vi.waitFor(() => expect(live.value.text).toBe('1000'), waiting);
    isOver = true;
    await load;
    leave();

    expect(await greetings()).toEqual(['1000', '1000']);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1000);
    expect(answers.bad).toBe(0);
    expect(answers.good).toBeGreaterThan(100);
    const { history, failures, version } = app.test.service.config;
    expect(version - versionBefore).toBe(seen.length);
    expect([history.length, failures]).toEqual([Math.min(20, version), []]);
    // The last answers may be on their way out.
    await vi.waitFor(() => expect(activeHandles()).toBeLessThanOrEqual(handles), waiting);
  });
});
