import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CentredProcess } from '../support/centred-process.js';
import { variableOf } from 'rookery/config';
import { centreSettings } from '../support/centred-app.js';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { Load } from '../support/load.js';
import { NacosPublisher, someDataId } from '../support/nacos-publisher.js';
import { nacosTimeoutMs, startNacos, type TestNacos } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

// A minute for the record; so long that nobody who waits for answers would get through for everyday.
const outageMs = Number(process.env['ROOKERY_TEST_OUTAGE_SECONDS'] ?? 10) * 1000;
// A start of the server on a machine that others use too, twice over.
const returnMs = 180_000;

const say = (line: string): void => void process.stderr.write(`rookery: ${line}\n`);
const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

describe.skipIf(isSkipped('nacos'))('a service whose Nacos is killed', () => {
  const dataId = someDataId();
  let folder: TemporaryFolder;
  let first: TestNacos;
  let second: TestNacos;
  let underLoad: ChildService;
  let ofTwo: CentredProcess;

  beforeAll(async () => {
    folder = await temporaryFolder();
    [first, second] = await Promise.all([startNacos({ version: '3.1' }), startNacos({ version: '2.3' })]);
  }, nacosTimeoutMs);

  afterAll(async () => {
    await underLoad?.dispose();
    await ofTwo?.dispose();
    await Promise.all([first?.close(), second?.close()]);
    await folder?.remove();
  }, 30_000);

  const content = (number: number): string =>
    `needed: { word: here }\ntrial: { number: ${number} }\npaging: { maxPageSize: ${number} }`;

  /** A change by somebody who comes for it. */
  async function publish(to: TestNacos, number: number): Promise<void> {
    const publisher = new NacosPublisher(to);
    await publisher.settle(dataId, content(number));
    await publisher.close();
  }

  const linesOf = (service: ChildService, pattern: RegExp): number =>
    service.lines.filter(({ msg }) => pattern.test(String(msg))).length;
  const pageSize = async (service: ChildService): Promise<number> => {
    const { json } = await http(service.url, { path: '/api/v1/users?pageSize=3' });
    return (json as { data: { users: unknown[] } }).data.users.length;
  };

  /** Waits until the probe, which looks now and then, is green and says so. */
  const isReady = (config: Record<string, unknown>): Promise<void> =>
    vi.waitFor(
      async () => {
        const { status, json } = await http(underLoad.url, { path: '/health/ready' });
        expect({ status, json }).toMatchObject({ status: 200, json: { details: { config } } });
      },
      { timeout: 15_000, interval: 50 },
    );

  it.each(['grpc', 'http'])(
    'leaves nothing behind over %s: it ends by itself, and no file but its snapshot',
    async (transport) => {
      await publish(second, 2);
      const own = join(folder.path, transport);
      const service = await CentredProcess.start({
        nacos: second,
        dataIds: [dataId],
        folder: own,
        isAlone: true,
        set: { 'nacos.transport': transport },
      });
      await publish(second, 3);
      await service.shows(3, 60_000);

      service.service.send('close');
      const askedAt = performance.now();
      const { code, atMs } = await service.service.exit;
      say(`close() over ${transport}: the process has ended ${(atMs - askedAt).toFixed(0)} ms later`);

      expect(code).toBe(0);
      expect(atMs - askedAt).toBeLessThan(1000);
      expect((await readdir(own, { recursive: true })).toSorted()).toEqual([
        'home',
        'snapshot',
        'snapshot/nacos.snapshot',
        'work',
      ]);
    },
  );

  it(
    'loses no request and not the final change, goes on with the next server, and keeps its values where one comes back empty',
    async () => {
      await Promise.all([publish(first, 1), publish(second, 2)]);
      const settings = Object.entries({
        ...centreSettings({ nacos: first, dataIds: [dataId], directory: `${folder.path}/under-load` }),
        'files.directory': `${folder.path}/files`,
        'log.access': false,
        'health.refreshMs': 100,
      }).map(([path, value]) => [variableOf(path), String(value)]);
      underLoad = await ChildService.start(Object.fromEntries(settings) as Record<string, string>);
      const both = { address: `${first.address},${second.address}`, user: undefined };
      ofTwo = await CentredProcess.start({ nacos: both, dataIds: [dataId], folder: `${folder.path}/of-two` });
      const stop = new AbortController();
      // Callers at full speed would leave the servers nothing of two cores.
      const load = new Load(underLoad.address, 2, stop.signal, 10);
      const reports = Object.values(load.reports);
      const answered = (): number => reports.reduce((sum, { answeredAtMs }) => sum + answeredAtMs.length, 0);
      await eventually('all kinds of callers are at work', () =>
        reports.every(({ answeredAtMs }) => answeredAtMs.length >= 10),
      );
      expect(await pageSize(underLoad)).toBe(1);
      // Which of the two it begins with is a matter of chance.
      expect([1, 2]).toContain((await ofTwo.values()).number);

      // In the middle of pushes: the last are taken by the server and told to nobody.
      const publisher = new NacosPublisher(first);
      for (let count = 0; count < 10; count += 1) await publisher.publish(dataId, content(1000 + count));
      const begunAt = performance.now();
      const closing = publisher.publish(dataId, content(1999)).catch(() => {});
      await first.kill('SIGKILL');
      await first.close();
      await publisher.close();
      await closing;
      const answeredBefore = answered();

      await ofTwo.shows(2, 60_000);
      const movedAfter = seconds(begunAt);
      await eventually(
        'the outage is told',
        () => linesOf(underLoad, /nacos.* (no connection|ended|login)/) > 0,
        60_000,
      );
      await isReady({ stale: ['nacos'], nacos: { isReachable: false, serving: 'centre' } });
      const left = outageMs - (performance.now() - begunAt);
      if (left > 0) await delay(left);

      first = await startNacos({ version: '3.1', port: first.port });
      const backAt = performance.now();
      const downFor = seconds(begunAt);
      // It comes back without its data: an accident, and no decision.
      await eventually('the loss of the data id is told', () => linesOf(underLoad, /: is gone/) > 0, 60_000);
      const foundAfter = seconds(backAt);
      expect(await pageSize(underLoad)).toBe(3);
      await publish(first, 1);
      const changedAt = performance.now();
      await eventually('the final change', async () => (await pageSize(underLoad)) === 1, 60_000);
      const seenAfter = seconds(changedAt);

      stop.abort();
      await load.ended;
      say(
        `Nacos killed for ${downFor} s under load: ${answered()} requests answered (${answered() - answeredBefore} since), ` +
          `${reports.flatMap(({ failures }) => failures).length} failed; server found again ${foundAfter} s after it was ready, ` +
          `final change seen ${seenAfter} s after its publication; next server effective after ${movedAfter} s`,
      );
      expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
      expect(answered() - answeredBefore).toBeGreaterThan(100);
      await isReady({ nacos: { isReachable: true, serving: 'centre' } });

      // The other way round: the one that came back has other content than the one that is lost now.
      await publish(first, 4);
      await second.kill('SIGKILL');
      await ofTwo.shows(4, 60_000);
      expect((await ofTwo.readiness()).config).toMatchObject({ nacos: { isReachable: true, serving: 'centre' } });
      expect(underLoad.stderr).toBe('');
      expect(ofTwo.service.stderr).toBe('');
    },
    returnMs + outageMs * 2 + 180_000,
  );
});
