import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';

// Far beyond what an edit takes.
const waiting = { timeout: 10_000, interval: 20 };
let directory = '';
let service: TestService;

const edit = (yaml: string): Promise<void> =>
  writeFile(
    join(directory, 'application-test.yaml'),
    `server: { host: 127.0.0.1 }\nusers: { seed: true }\nconfig: { settleMs: 20 }\nfiles: { directory: ${directory}/files }\n${yaml}`,
  );

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'config-'));
  await edit('paging: { maxPageSize: 2 }');
  service = await startTestService(AppModule, { configDirectory: directory });
});

afterAll(async () => {
  await service.close();
  await rm(directory, { recursive: true });
});

async function usersOnPage(): Promise<number> {
  const response = await fetch(`${service.url}/api/v1/users?pageSize=3`, {
    headers: { authorization: `Bearer ${service.token()}` },
  });
  const { data } = (await response.json()) as { data: { users: unknown[] } };
  return data.users.length;
}

async function readiness(): Promise<{ status: number; config: unknown }> {
  const response = await fetch(`${service.url}/health/ready`);
  const body = (await response.json()) as { details: { config: unknown } };
  return { status: response.status, config: body.details.config };
}

describe('a running service', () => {
  it('follows an edit of its file, refuses a wrong one and says so, and follows the next', async () => {
    expect(await readiness()).toEqual({ status: 200, config: { status: 'up', version: 1 } });

    expect(await usersOnPage()).toBe(2);
    await edit('paging: { maxPageSize: 3 }');
    await vi.waitFor(async () => expect(await usersOnPage()).toBe(3), waiting);

    await edit('paging: { maxPageSize: -1 }');
    await vi.waitFor(() => expect(service.service.config.failures).toHaveLength(1), waiting);
    expect(await usersOnPage()).toBe(3);
    await vi.waitFor(
      async () =>
        expect(await readiness()).toEqual({ status: 200, config: { status: 'up', version: 2, stale: ['files'] } }),
      waiting,
    );
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('rookery_config_version 2\n');
    expect(metrics).toContain('rookery_config_failures_total 1\n');
    expect(metrics).toContain('rookery_config_stale_sources 1\n');

    await edit('paging: { maxPageSize: 1 }');
    await vi.waitFor(async () => expect(await usersOnPage()).toBe(1), waiting);
    expect(service.service.config.failures).toEqual([]);
  });
});
