import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NacosConfigOptions } from '../../src/framework/config/nacos-config.options.js';
import { nacosDriver } from '../../src/framework/config/nacos-driver.js';
import type { ConfigDriver } from '../../src/framework/config/config.driver.js';
import { NacosConfigClient, NacosConnection } from '../../src/framework/nacos/index.js';
import { CutLine } from '../support/cut-line.js';
import { eventually } from '../support/eventually.js';
import { nacosTimeoutMs, startNacos, type TestNacos, type TestNacosOptions } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { configDriverContract, type DriverChanges, soon, type Told, told } from './config-driver.contract.js';
import { nacosConfigContract } from './nacos-config.contract.js';

type Transport = 'grpc' | 'http';

interface Case {
  readonly title: string;
  readonly server: TestNacosOptions;
  readonly transports: readonly Transport[];
}

const cases: readonly Case[] = [
  {
    title: '3.1 with login, without the old HTTP interface',
    server: { version: '3.1', hasAuth: true, isCompatible: false },
    transports: ['grpc'],
  },
  { title: '3.1', server: { version: '3.1' }, transports: ['grpc', 'http'] },
  { title: '2.3 with login', server: { version: '2.3', hasAuth: true }, transports: ['grpc', 'http'] },
];

const restartTimeoutMs = 240_000;

describe.skipIf(isSkipped('nacos')).each(cases)('Nacos $title', ({ server, transports }) => {
  let nacos: TestNacos;
  const admins = new Map<string, { connection: NacosConnection; configs: NacosConfigClient }>();

  beforeAll(async () => {
    nacos = await startNacos(server);
  }, nacosTimeoutMs);

  afterAll(async () => {
    await closeAdmins();
    await nacos?.close();
  }, 30_000);

  async function closeAdmins(): Promise<void> {
    for (const { connection, configs } of admins.values()) {
      configs.close();
      await connection.close();
    }
    admins.clear();
  }

  function admin(namespace = ''): NacosConfigClient {
    const known = admins.get(namespace);
    if (known !== undefined) return known.configs;
    const connection = new NacosConnection({
      servers: [nacos.address],
      namespace,
      requestTimeoutMs: 20_000,
      ...nacos.user,
    });
    const configs = new NacosConfigClient(connection);
    admins.set(namespace, { connection, configs });
    return configs;
  }

  function openBy(transport: Transport) {
    return (dataIds: readonly string[], changes: DriverChanges = {}): Promise<ConfigDriver> =>
      nacosDriver(
        Object.assign(new NacosConfigOptions(), {
          transport,
          address: [nacos.address],
          dataIds,
          ...nacos.user,
          ...changes,
        }),
        'test',
      );
  }

  describe.each(transports)('over %s', (transport) => {
    const hasAuth = server.hasAuth === true;
    configDriverContract({ open: openBy(transport), admin, address: () => nacos.address, hasAuth });
    nacosConfigContract({ transport, admin, address: () => nacos.address, user: () => nacos.user });
  });

  describe.each(transports)('in a process of its own, over %s', (transport) => {
    it.each(['loading', 'reading', 'watching', 'changing', 'unreachable', 'silent'] as const)(
      'leaves nothing behind when it is closed while %s',
      async (when) => {
        const silent = when === 'silent' ? await silentServer() : undefined;
        const dataId = `test-${randomUUID()}.yaml`;
        const port = when === 'unreachable' ? 1 : silent?.port;
        const target =
          port === undefined ? { address: nacos.address } : { address: `127.0.0.1:${port}`, grpcPort: port };

        const child = await runChild({ transport, when, ...target, dataIds: [dataId], ...nacos.user }, () =>
          admin().publish({ dataId, group: 'DEFAULT_GROUP' }, 'a: 1', { type: 'yaml' }),
        );
        await silent?.close();

        expect(child).toMatchObject({ code: 0, files: [], udp: 0 });
        expect(child.afterCloseMs).toBeLessThan(1000);
        expect(child.output).not.toMatch(nacos.user === undefined ? /password|username/ : nacos.user.password);
      },
      30_000,
    );
  });

  it.skipIf(transports.includes('http'))('says which setting is wrong when it is asked over HTTP', async () => {
    const driver = await openBy('http')(['a.yaml']);

    await expect(driver.read(soon())).rejects.toThrow(
      `nacos: ${nacos.address} speaks gRPC only (HTTP status 410; nacos.transport: grpc)`,
    );
    await driver.close();
  });

  it('tells of a server that is away and of its return, and of no change where there is none', async () => {
    const lines = [await CutLine.to(nacos.port), await CutLine.to(nacos.port + 1000)];
    const { drivers, heard } = await watchers(lines);

    for (const line of lines) line.cut();
    for (const { transport, events } of heard)
      await eventually(`the failure over ${transport}`, () => events.failures.length > 0);
    for (const line of lines) line.mend();
    for (const { transport, events } of heard)
      await eventually(`the return over ${transport}`, () => events.recoveries > 0, 60_000);
    await admin().publish({ dataId: 'kept.yaml' }, 'a: 2', { type: 'yaml' });
    for (const { transport, events } of heard)
      await eventually(`the next change over ${transport}`, () => events.contents.length > 0, 60_000);

    for (const { events } of heard) expect(events).toMatchObject({ contents: [['a: 2', undefined]], recoveries: 1 });
    for (const one of [...drivers, ...lines]) await one.close();
  }, 180_000);

  it('tells what has changed while the server was away', async () => {
    const lines = [await CutLine.to(nacos.port), await CutLine.to(nacos.port + 1000)];
    const { drivers, heard } = await watchers(lines);

    for (const line of lines) line.cut();
    await admin().publish({ dataId: 'kept.yaml' }, 'a: 3', { type: 'yaml' });
    await eventually('the change', async () => (await admin().get({ dataId: 'kept.yaml' }))?.content === 'a: 3');
    for (const line of lines) line.mend();
    for (const { transport, events } of heard)
      await eventually(`the change over ${transport}`, () => events.contents.length > 0, 60_000);

    for (const { events } of heard) expect(events.contents).toEqual([['a: 3', undefined]]);
    for (const one of [...drivers, ...lines]) await one.close();
  }, 180_000);

  // The last one: it kills the server.
  it(
    'tells what a server has that was away, when it comes back without its data, and what it gets then',
    async () => {
      const { drivers, heard } = await watchers();

      await nacos.kill('SIGKILL');
      await nacos.close();
      await closeAdmins();
      const { user, port } = nacos;
      nacos = await startNacos({ ...server, hasAuth: false, port });
      // The password is another one now, but nobody asks for it.
      expect(user === undefined).toBe(server.hasAuth !== true);
      for (const { transport, events } of heard)
        await eventually(`the loss over ${transport}`, () => isLast(events, undefined), 60_000);
      await admin().publish({ dataId: 'kept.yaml' }, 'b: 1', { type: 'yaml' });
      for (const { transport, events } of heard)
        await eventually(`the new one over ${transport}`, () => isLast(events, 'b: 1'), 60_000);

      for (const { events } of heard) {
        expect(events.contents).toEqual([
          [undefined, undefined],
          ['b: 1', undefined],
        ]);
        expect(events.recoveries).toBe(1);
      }
      for (const driver of drivers) await driver.close();
    },
    restartTimeoutMs,
  );

  /**
   * A driver of each kind, watching one document that is there and one that is not.
   *
   * @param lines to HTTP and gRPC, where not directly
   */
  async function watchers(lines: readonly CutLine[] = []): Promise<{
    drivers: ConfigDriver[];
    heard: { transport: Transport; events: Told }[];
  }> {
    const key = { dataId: 'kept.yaml' };
    await admin().publish(key, 'a: 1', { type: 'yaml' });
    await eventually('the publication', async () => (await admin().get(key))?.content === 'a: 1');
    const [http, grpc] = lines;
    const by = http && grpc ? { address: [`127.0.0.1:${http.port}`], grpcPort: grpc.port } : {};
    const drivers = await Promise.all(
      transports.map((transport) => openBy(transport)(['kept.yaml', 'absent.yaml'], by)),
    );
    const heard = transports.map((transport) => ({ transport, events: told() }));
    for (const [index, driver] of drivers.entries()) {
      await driver.read(soon());
      driver.watch(heard[index]?.events as Told);
    }
    return { drivers, heard };
  }
});

/** Whether this is what the driver told last of the first document. */
function isLast({ contents }: Told, content: string | undefined): boolean {
  return contents.length > 0 && contents.at(-1)?.[0] === content;
}

interface ChildResult {
  readonly code: number | null;
  readonly output: string;
  /** From the word that it closes now to its end. */
  readonly afterCloseMs: number;
  /** What it wrote into its folders. */
  readonly files: string[];
  readonly udp: number;
}

const program = fileURLToPath(new URL('../support/config-driver-child.mjs', import.meta.url));
const built = new URL('../../dist/framework/config/', import.meta.url).href;

/** A process that opens a driver and closes it; its home, its temporary folder and its working folder are empty. */
async function runChild(work: object, onReady: () => Promise<unknown>): Promise<ChildResult> {
  const folder = await temporaryFolder();
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [program, built, JSON.stringify(work)], {
    cwd: folder.path,
    env: { PATH, HOME: folder.path, TMPDIR: folder.path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let closesAt = Number.NaN;
  const read = (text: string): void => {
    output += text;
    if (text.includes('ready')) void onReady();
    if (text.includes('closing')) closesAt = performance.now();
  };
  child.stdout.setEncoding('utf8').on('data', read);
  child.stderr.setEncoding('utf8').on('data', read);
  const [code] = (await once(child, 'close')) as [number | null];
  const afterCloseMs = performance.now() - closesAt;
  const files = readdirSync(folder.path, { recursive: true }).map(String);
  await folder.remove();
  return { code, output, afterCloseMs, files, udp: Number(/udp: (\d+)/.exec(output)?.[1] ?? Number.NaN) };
}

/** Takes connections and says nothing. */
async function silentServer(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
