import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CentredProcess, type CentredProcessInit } from '../support/centred-process.js';
import { eventually } from '../support/eventually.js';
import { NacosPublisher, someDataId } from '../support/nacos-publisher.js';
import { nacosTimeoutMs, startNacos, type TestNacos } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

// So short that a test sees several end.
const tokenSeconds = 8;
// An idle connection is asked about after 5 s, and given up after two questions of 3 s: what a cut takes to be noticed.
const noticeMs = 30_000;

const say = (line: string): void => void process.stderr.write(`rookery: ${line}\n`);
const content = (number: number): string => `needed: { word: here }\ntrial: { number: ${number} }`;

describe.skipIf(isSkipped('nacos'))(
  'a service that follows Nacos over a bad line, or with bad papers',
  { timeout: 150_000 },
  () => {
    let nacos: TestNacos;
    let publisher: NacosPublisher;
    let folder: TemporaryFolder;
    let dataId: string;
    const open: { dispose?(): Promise<void>; close?(): Promise<void> }[] = [];

    beforeAll(async () => {
      nacos = await startNacos({ version: '3.1', hasAuth: true, isCompatible: false, tokenSeconds });
      publisher = new NacosPublisher(nacos);
    }, nacosTimeoutMs);

    afterEach(async () => {
      for (const one of open.splice(0).toReversed()) await (one.dispose ?? one.close)?.call(one);
      await folder?.remove();
    });

    afterAll(async () => {
      await publisher?.close();
      await nacos?.close();
    }, 30_000);

    /** A service that shows the number 1. */
    async function start(more: Partial<CentredProcessInit> = {}): Promise<CentredProcess> {
      const service = await launch(more);
      await service.service.line('listening');
      return service;
    }

    async function launch(more: Partial<CentredProcessInit> = {}): Promise<CentredProcess> {
      folder = await temporaryFolder();
      dataId = someDataId();
      await publisher.settle(dataId, content(1));
      const service = await CentredProcess.launch({ nacos, dataIds: [dataId], folder: folder.path, ...more });
      open.push(service);
      return service;
    }

    /** The server as the client sees it through wires. */
    async function wired(): Promise<{ http: TcpProxy; grpc: TcpProxy; set: Record<string, unknown> }> {
      const [http, grpc] = await Promise.all([TcpProxy.start(nacos.port), TcpProxy.start(nacos.port + 1000)]);
      open.push(http, grpc);
      return { http, grpc, set: { 'nacos.address': `127.0.0.1:${http.port}`, 'nacos.grpcPort': grpc.port } };
    }

    /** Changes after this: it shows each of them. */
    async function follows(service: CentredProcess, ...numbers: readonly number[]): Promise<void> {
      for (const number of numbers) {
        await publisher.publish(dataId, content(number));
        await service.shows(number);
      }
    }

    it('ends with 1 and one line without the password, where it is wrong', async () => {
      const wrong = 'wr0ng-secret-of-tests';
      const service = await launch({ set: { 'nacos.password': wrong, 'nacos.startTimeoutMs': 3000 } });
      const { code } = await service.service.exit;

      expect(code).toBe(1);
      expect(service.service.stderr.trimEnd().split('\n')).toEqual([
        expect.stringMatching(/^cannot start: nacos: .*login.*there is no snapshot/),
      ]);
      expect(service.output).not.toContain(wrong);
      expect(service.output).not.toContain('accessToken');
    });

    it('begins with its snapshot where the password became wrong, and says so without it', async () => {
      const first = await start();
      first.service.kill('SIGTERM');
      await first.service.exit;
      const wrong = 'wr0ng-secret-of-tests';
      const service = await CentredProcess.start({
        nacos,
        dataIds: [dataId],
        folder: folder.path,
        set: { 'nacos.password': wrong },
      });
      open.push(service);

      const { msg } = await service.says(/ stays; nacos: .*login.*; the snapshot of .* serves$/);
      // What the server says to the password, and not what it says to the way in that older servers have.
      expect(String(msg)).toMatch(/HTTP status (403|500)/);
      expect((await service.values()).number).toBe(1);
      await eventually(
        'readiness says so',
        async () => (await service.readiness()).config?.nacos?.serving === 'snapshot',
      );
      expect(await service.metric('rookery_config_snapshot_serves')).toBe(1);
      expect(service.output).not.toContain(wrong);
    });

    it('logs in again when its token has expired, also where the clock of the machine is turned meanwhile', async () => {
      // Ten hours forward, then back, while the process runs: what is measured by it would be over at once, or never.
      const turn =
        'const now = Date.now; const hours = () => [0, 10, -10][Math.floor(performance.now() / 4000) % 3];' +
        'Date.now = () => now() + hours() * 3_600_000;';
      const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(turn)}`];
      const service = await start({ nodeOptions });

      await follows(service, 2);
      await delay(tokenSeconds * 1500);
      await follows(service, 3);
      await delay(tokenSeconds * 1500);
      await follows(service, 4, 5);

      expect(service.service.lines.filter(({ msg }) => / stays; |cannot be reached/.test(String(msg)))).toEqual([]);
    });

    it('notices a line that is cut, serves meanwhile, and has the last change when there is one again', async () => {
      const { http, grpc, set } = await wired();
      const service = await start({ set });
      await follows(service, 2);

      for (const wire of [http, grpc]) wire.cut();
      const cutAt = performance.now();
      await publisher.publish(dataId, content(3));
      await publisher.publish(dataId, content(4));
      // A question that was under way may be the first to stay without its answer.
      await service.says(/ stays; nacos: .*(health check|no answer)/, 0, noticeMs);
      const noticedMs = performance.now() - cutAt;
      expect((await service.values()).number).toBe(2);
      await eventually('readiness says so', async () => !(await service.readiness()).config.nacos.isReachable);
      expect((await service.readiness()).status).toBe(200);
      expect(await service.metric('rookery_config_centre_up')).toBe(0);
      for (const wire of [http, grpc]) wire.mend();
      const mendedAt = performance.now();
      await service.shows(4, 30_000);
      say(
        `a cut line is noticed after ${(noticedMs / 1000).toFixed(1)} s; the last change is there ${((performance.now() - mendedAt) / 1000).toFixed(1)} s after it is mended`,
      );
      await follows(service, 5);

      await eventually('all is well', async () => (await service.readiness()).config.stale === undefined);
      expect(await service.metric('rookery_config_centre_up')).toBe(1);
    });

    it('goes where the server sends it, and misses nothing and tells nobody', async () => {
      const { grpc, set } = await wired();
      const service = await start({ set });
      await follows(service, 2);
      const before = grpc.accepted;

      await askAllToMove();
      await eventually('it has connected again', () => grpc.accepted > before, 30_000);
      await follows(service, 3, 4);

      expect(service.service.lines.filter(({ msg }) => / stays; |cannot be reached/.test(String(msg)))).toEqual([]);
    });

    /** The server's own way to spread its clients: each is asked to connect again. */
    async function askAllToMove(): Promise<void> {
      const base = `http://${nacos.address}/nacos`;
      const login = await fetch(`${base}/v3/auth/user/login`, {
        method: 'POST',
        body: new URLSearchParams(nacos.user),
      });
      const { accessToken } = (await login.json()) as { accessToken: string };
      const headers = { accessToken };
      const current = (await (await fetch(`${base}/v3/admin/core/loader/current`, { headers })).json()) as {
        data: Record<string, unknown>;
      };
      for (const id of Object.keys(current.data)) {
        const query = new URLSearchParams({ connectionId: id });
        const answer = await fetch(`${base}/v3/admin/core/loader/reloadClient?${query.toString()}`, {
          method: 'POST',
          headers,
        });
        if (!answer.ok) throw new Error(`reloadClient: ${answer.status} ${await answer.text()}`);
      }
    }
  },
);
