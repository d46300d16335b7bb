import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CentredProcess, type ConfigDetails } from '../support/centred-process.js';
import { eventually } from '../support/eventually.js';
import { keyOf, NacosPublisher, someDataId, testGroup } from '../support/nacos-publisher.js';
import { nacosTimeoutMs, startNacos, type TestNacos } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

// In every bad content, and never in anything that the process says.
const marker = `marker${randomBytes(8).toString('hex')}`;
const needed = 'needed: { word: here }';
const mebibyte = 1_048_576;

const nested = (depth: number): string => '{a: '.repeat(depth) + marker + '}'.repeat(depth);
const filled = (bytes: number, begin: string, end: string): string =>
  begin + 'x'.repeat(bytes - begin.length - end.length) + end;
const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  .concat(
    Array.from({ length: 9 }, (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level}, `.repeat(9)}*a${level}]`),
  )
  .join('\n');

/** What somebody publishes, and what the log says of it: where, and what is wrong there. */
const bad: readonly (readonly [string, string, RegExp])[] = [
  ['that cannot be parsed', `${needed}\ntrial: { number: 5, text: "${marker}`, /:[23]: /],
  ['with a list at the top', `- ${marker}`, /:1: not a mapping/],
  ['with a text at the top', marker, /:1: not a mapping/],
  ['with a text where a section belongs', `${needed}\ntrial: ${marker}`, /trial: not a mapping .*:2/],
  ['with a text where a number belongs', `${needed}\ntrial: { number: ${marker} }`, /trial\.number: .*:2/],
  ['with a value out of range', `${needed}\ntrial:\n  text: "${marker.repeat(3)}"`, /trial\.text: .*32 char.*:3/],
  ['with a key that nobody knows', `${needed}\ntrial: { numbre: ${marker} }`, /trial\.numbre: .*"number".*:2/],
  ['without a key that is needed', `trial: { number: 5, text: ${marker.slice(0, 20)} }`, /needed\.word: missing/],
  ['with nothing but a comment', `# ${marker}`, /needed\.word: missing/],
  ['with a byte more than a mebibyte', filled(mebibyte + 1, `${needed}\nfilling: "`, '"'), /: 1048577 bytes .*1048576/],
  ['with aliases of aliases', `${needed}\n${bomb}\ntrial: { text: ${marker} }`, /:\d+: more than \d+ (values|aliases)/],
  ['nested too deep', `${needed}\ntrial: ${nested(40)}`, /:2: nested deeper/],
  [
    'nested a hundred thousand deep',
    `${needed}\ntrial: ${'['.repeat(100_000)}${marker}`,
    /: (nested deeper|.*bracket)/,
  ],
  ['with a key twice', `${needed}\ntrial: { number: 5, number: 6, text: ${marker} }`, /:2: a key stands twice/],
  ['with a key that reaches prototypes', `${needed}\n__proto__: { text: ${marker} }`, /:2: key "__proto__" is refused/],
  ['with a reference to nothing', `${needed}\ntrial: { text: "${marker} \${no.such}" }`, /trial\.text: .*no\.such/],
  ['with two documents', `${needed}\n---\ntrial: { text: ${marker} }`, /: more than one document/],
  ['that says where Nacos is', `${needed}\nnacos: { password: ${marker} }`, /:2: nacos: not in a data id/],
];

describe.skipIf(isSkipped('nacos'))('a service that is given bad content by Nacos', () => {
  let nacos: TestNacos;
  let publisher: NacosPublisher;
  let folder: TemporaryFolder;
  let service: CentredProcess;
  const dataId = someDataId();
  const other = someDataId();
  const name = `nacos:${testGroup}/${dataId}`;
  let number = 1;

  const good = (value: number): string => `${needed}\ntrial: { number: ${value}, text: good }`;

  beforeAll(async () => {
    nacos = await startNacos({ version: '3.1', hasAuth: true, isCompatible: false });
    publisher = new NacosPublisher(nacos);
    folder = await temporaryFolder();
    await publisher.settle(dataId, good(number));
    service = await CentredProcess.start({ nacos, dataIds: [other, dataId], folder: folder.path });
  }, nacosTimeoutMs);

  afterAll(async () => {
    await service?.dispose();
    await publisher?.close();
    await nacos?.close();
    await folder?.remove();
  }, 30_000);

  /** Waits until the probe says just that; it looks now and then. */
  async function ready(details: Partial<ConfigDetails>): Promise<void> {
    const config = { status: 'up', nacos: { isReachable: true, serving: 'centre' }, ...details };
    await vi.waitFor(async () => expect(await service.readiness()).toEqual({ status: 200, config }), {
      timeout: 15_000,
      interval: 50,
    });
  }

  /** Publishes the next good content, and waits until it serves and everything is well. */
  async function heal(): Promise<void> {
    number += 1;
    await publisher.publish(dataId, good(number));
    await service.shows(number);
    expect(await service.metric('rookery_config_stale_sources')).toBe(0);
  }

  /** Waits for a failure, and asserts that it is told everywhere, and that what was good serves. */
  async function refused(message: RegExp, publish: () => Promise<void>): Promise<void> {
    const from = service.logged;
    const version = await service.metric('rookery_config_version');
    const failures = await service.metric('rookery_config_failures_total');
    await publish();
    const line = String((await service.says(/ stays; /, from)).msg);

    expect(line).toMatch(message);
    expect(line).toContain(`version ${version} stays; nacos:`);
    expect(line).toContain(name);
    expect(await service.values()).toEqual({ number, text: 'good', word: 'here' });
    await ready({ version, stale: ['nacos'] });
    expect(await service.metric('rookery_config_failures_total')).toBe(failures + 1);
    expect(await service.metric('rookery_config_stale_sources')).toBe(1);
  }

  it.each(bad)(
    '%s, serves the last good one, says what is wrong and no value, and heals',
    async (_what, content, message) => {
      await refused(message, () => publisher.publish(dataId, content));
      await heal();

      expect(service.output).not.toContain(marker.slice(0, 20));
    },
  );

  it('that is gone, serves the last good one until it is there again', async () => {
    await refused(/ is gone /, () => publisher.remove(dataId));
    await heal();

    expect(await service.values()).toMatchObject({ number });
  });

  it('that is empty: no server takes it', async () => {
    await expect(publisher.publish(dataId, '')).rejects.toMatchObject({ reason: 'NACOS_OPTION_INVALID' });
    await expect(publisher.publish(dataId, ' \n')).rejects.toMatchObject({ reason: 'NACOS_REQUEST_FAILED' });
    expect((await publisher.configs.get(keyOf(dataId)))?.content).toBe(good(number));
  });

  it('in one of two data ids that change together, applies neither until both are good', async () => {
    const version = await service.metric('rookery_config_version');
    await refused(/trial\.text/, () => publisher.publish(dataId, `${needed}\ntrial: { text: "${marker.repeat(3)}" }`));
    const from = service.logged;
    await publisher.publish(other, 'beside: { word: fine }');
    // It is heard of: what is wrong is looked at again, and is the same, which is not said twice.
    await eventually('the other is there', async () => (await publisher.configs.get(keyOf(other))) !== undefined);
    await publisher.publish(other, 'beside: { word: "a word for both');
    await service.says(/ stays; /, from);
    expect(await service.metric('rookery_config_version')).toBe(version);
    await publisher.publish(other, 'beside: { word: fine }');
    await heal();

    expect(await service.metric('rookery_config_version')).toBe(version + 1);
    expect(service.output).not.toContain(marker);
  });

  it('is fine again: two data ids at the same moment are one version or two, and nothing is lost', async () => {
    const version = await service.metric('rookery_config_version');
    number += 1;
    const from = service.logged;
    await Promise.all([publisher.publish(dataId, good(number)), publisher.publish(other, 'beside: { word: again }')]);
    await service.shows(number);
    await service.says(/beside\.word: "fine" -> "again"/, from);
    const now = await service.metric('rookery_config_version');

    expect([1, 2]).toContain(now - version);
    await ready({ version: now });
  });
});
