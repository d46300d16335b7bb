import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { PatientClient, type Patience } from '../support/patient-client.js';
import { figuresOf } from '../support/service-figures.js';
import { TrialProcess } from '../support/trial-process.js';

const program = fileURLToPath(new URL('../support/heavy-client.mjs', import.meta.url));
const addresses = ['127.0.0.2', '127.0.0.3'];
const rounds = 20;

let service: TrialProcess;
let url: string;
let patient: PatientClient;
let alone: Patience;
let aloneMib: number;
let clients: ChildProcess[] = [];

beforeAll(async () => {
  service = await TrialProcess.start({ ROOKERY_LOG__LEVEL: 'silent' });
  url = `http://127.0.0.1:${service.port}`;
  patient = await PatientClient.connect(url);
  // What is compiled once is not the doing of others.
  await patient.ask(rounds);
  alone = await patient.ask(rounds);
  aloneMib = residentMib();
}, 60_000);

afterEach(async () => {
  const gone = clients.map((client) => once(client, 'exit'));
  for (const client of clients) client.kill('SIGKILL');
  await Promise.all(gone);
  clients = [];
});

afterAll(async () => {
  patient.close();
  expect(await service.stop()).toBe(0);
});

function residentMib(): number {
  const [, kib = ''] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

async function served(): Promise<number> {
  const figures = await figuresOf(url);
  return [...figures].reduce(
    (sum, [name, value]) => (name.startsWith('rookery_requests_total') ? sum + value : sum),
    0,
  );
}

describe('a patient client, while two others ask for more than there is', () => {
  it.each([
    'unknown paths',
    'large JSON over HTTP/1.1',
    'large JSON over HTTP/2',
    'bodies of a mebibyte in a few bytes',
    'messages of a mebibyte in a kilobyte',
  ])('is served before them: %s', { timeout: 120_000 }, async (kind) => {
    const before = await served();
    clients = addresses.map((address) => fork(program, [String(service.port), address, kind]));
    await eventually('they are served', async () => (await served()) > before + 100);

    const under = await patient.ask(rounds);

    process.stdout.write(
      `${kind}: median ${under.medianMs.toFixed(1)} ms, alone ${alone.medianMs.toFixed(1)} ms; ` +
        `p99 ${under.p99Ms.toFixed(1)} ms, alone ${alone.p99Ms.toFixed(1)} ms\n`,
    );
    expect(under.failures).toEqual([]);
    // It waits for one of their requests, where it would for one of each of twenty connections.
    expect(under.medianMs).toBeLessThan(Math.max(4 * alone.medianMs, 30));
  });
});

describe('the memory that they have made the process take', () => {
  it('goes back within a minute', { timeout: 120_000 }, async () => {
    const thenMib = residentMib();
    expect(thenMib).toBeGreaterThan(1.25 * aloneMib);
    await eventually('it has gone back', () => residentMib() < 1.25 * aloneMib, 60_000);

    process.stdout.write(
      `memory: ${aloneMib.toFixed(0)} MiB before, ${thenMib.toFixed(0)} MiB then, ${residentMib().toFixed(0)} MiB in the end\n`,
    );
  });
});
