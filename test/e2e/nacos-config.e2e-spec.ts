import { join } from 'node:path';
import { startTestService, type TestService } from 'rookery/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { ChildService } from '../support/child-service.js';
import { FakeNacos } from '../support/fake-nacos.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

// Far beyond what a push takes.
const waiting = { timeout: 10_000, interval: 20 };
const dataId = 'application.yaml';
let folder: TemporaryFolder;
let fake: FakeNacos | undefined;
const services: TestService[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const service of services.splice(0)) await service.close();
  await fake?.close();
  fake = undefined;
  await folder.remove();
});

async function start(nacos: { port: number; grpcPort: number }, set: Record<string, unknown> = {}) {
  const service = await startTestService(AppModule, {
    set: {
      'nacos.address': `127.0.0.1:${nacos.port}`,
      'nacos.grpcPort': nacos.grpcPort,
      'nacos.snapshot.directory': join(folder.path, 'config'),
      'nacos.startTimeoutMs': 4000,
      'files.directory': join(folder.path, 'files'),
      ...set,
    },
  });
  services.push(service);
  return service;
}

async function usersOnPage({ url, token }: TestService): Promise<number> {
  const response = await fetch(`${url}/api/v1/users?pageSize=3`, { headers: { authorization: `Bearer ${token()}` } });
  const { data } = (await response.json()) as { data: { users: unknown[] } };
  return data.users.length;
}

async function readiness({ url }: TestService): Promise<{ status: number; config: unknown }> {
  const response = await fetch(`${url}/health/ready`);
  const body = (await response.json()) as { details: { config: unknown } };
  return { status: response.status, config: body.details.config };
}

describe('a service with Nacos', () => {
  it('follows a data id, keeps out what is wrong, and outlives Nacos, also in a new start', async () => {
    fake = await FakeNacos.start();
    const { port, grpcPort } = fake;
    fake.contents.set(dataId, 'paging: { maxPageSize: 2 }');
    const service = await start(fake);
    const { config } = service.service;

    expect(await usersOnPage(service)).toBe(2);
    fake.change(dataId, 'paging: { maxPageSize: 3 }');
    await vi.waitFor(async () => expect(await usersOnPage(service)).toBe(3), waiting);
    expect(config.history.at(-1)).toMatchObject({
      source: `nacos:DEFAULT_GROUP/${dataId}`,
      changes: [{ path: 'paging.maxPageSize', before: '2', after: '3' }],
    });
    expect(config.sourceOf('paging.maxPageSize')).toBe(`nacos:DEFAULT_GROUP/${dataId}:1`);

    fake.change(dataId, 'paging: { maxPageSize: -1 }');
    await vi.waitFor(() => expect(config.failures).toHaveLength(1), waiting);
    expect(await usersOnPage(service)).toBe(3);

    await fake.close();
    await vi.waitFor(
      async () =>
        expect(await readiness(service)).toEqual({
          status: 200,
          config: {
            status: 'up',
            version: 2,
            stale: ['nacos'],
            nacos: { isReachable: false, serving: 'centre' },
          },
        }),
      waiting,
    );
    await service.close();

    const again = await start({ port, grpcPort });

    expect(await usersOnPage(again)).toBe(3);
    expect(await readiness(again)).toEqual({
      status: 200,
      config: {
        status: 'up',
        version: 1,
        stale: ['nacos'],
        nacos: { isReachable: false, serving: 'snapshot', snapshotAt: expect.any(String) },
      },
    });
    const metrics = await (await fetch(`${again.url}/metrics`)).text();
    expect(metrics).toContain('rookery_config_centre_up{centre="nacos"} 0\n');
    expect(metrics).toContain('rookery_config_snapshot_serves{centre="nacos"} 1\n');
  });

  it('starts with the snapshot where Nacos has values that a class of the framework or of the service refuses', async () => {
    fake = await FakeNacos.start();
    fake.contents.set(dataId, 'paging: { maxPageSize: 2 }');
    await (await start(fake)).close();

    for (const bad of ['paging: { maxPageSize: 0 }', 'health: { probeTimeoutMs: 1 }']) {
      fake.contents.set(dataId, bad);
      const service = await start(fake);

      expect(await usersOnPage(service)).toBe(2);
      expect(service.service.config.failures).toEqual([
        expect.objectContaining({ source: 'nacos', message: expect.stringContaining('the snapshot of') }),
      ]);
      fake.change(dataId, 'paging: { maxPageSize: 1 }');
      await vi.waitFor(async () => expect(await usersOnPage(service)).toBe(1), waiting);
      expect(service.service.config.failures).toEqual([]);
      await service.close();
      fake.contents.set(dataId, 'paging: { maxPageSize: 2 }');
      await (await start(fake)).close();
    }
  });

  it('leaves nothing open when the start fails', async () => {
    fake = await FakeNacos.start();
    const { streams } = fake;
    fake.contents.set(dataId, 'paging: { maxPageSize: 0 }');

    await expect(start(fake)).rejects.toThrow(`paging.maxPageSize: a number (expected: not less than 1; from nacos:`);

    await vi.waitFor(() => expect(streams.size).toBe(0), waiting);
  });
});

describe('a process whose Nacos is down from the beginning', () => {
  let child: ChildService | undefined;

  afterEach(() => child?.dispose());

  // Nothing listens there: it is below what is given out.
  const down = { ROOKERY_NACOS__ADDRESS: '127.0.0.1:1', ROOKERY_NACOS__START_TIMEOUT_MS: '300' };
  const snapshot = (): Record<string, string> => ({ ROOKERY_NACOS__SNAPSHOT__DIRECTORY: join(folder.path, 'config') });

  it('ends with 1 and one line that says why', async () => {
    child = new ChildService({ ...down, ...snapshot() });
    const { code } = await child.exit;

    expect(code).toBe(1);
    expect(child.stderr).toMatch(
      /^cannot start: nacos: .*127\.0\.0\.1.*; there is no snapshot \(expected: one of both, or nacos\.required: false\)\n$/,
    );
  });

  it('begins with its files where Nacos is not required, and says so', async () => {
    child = await ChildService.start({ ...down, ...snapshot(), ROOKERY_NACOS__REQUIRED: 'false' });

    const said = child.lines.map(({ msg }) => String(msg)).filter((msg) => msg.includes('alone serve'));
    expect(said).toEqual([expect.stringMatching(/^version 1 stays; nacos: .*; files and environment alone serve$/)]);
    child.kill('SIGTERM');
    expect((await child.exit).code).toBe(0);
  });
});
