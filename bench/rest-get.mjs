// CPU time per request of `GET /api/v1/users/1` against bare node:http, in turn, in one run: only the ratio counts.
// Needs Linux, `wrk` and `taskset`, and a build (`npm run build`). Usage: node bench/rest-get.mjs [rounds]
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cpuTimeUs, median } from './cpu-time.mjs';

const rounds = Number(process.argv[2] ?? 7);
const serverCore = '0';
const loadCore = '1';
const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(`${tmpdir()}/rookery-bench-`);

const subjects = [
  { name: 'rookery', port: 18181, entry: 'dist/main.js' },
  { name: 'node:http', port: 18182, entry: 'bench/peers/node-http.mjs' },
];

function start({ port, entry }) {
  const env = {
    ...process.env,
    PORT: String(port),
    HOST: '127.0.0.1',
    ROOKERY_LOG__ACCESS: 'false',
    DATABASE_URL: `sqlite:${scratch}/bench.db`,
  };
  return spawn('taskset', ['-c', serverCore, process.execPath, entry], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function ready({ name, port }) {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/users/1`).catch(() => undefined);
    if (answer?.status === 200 && (await answer.json()).data?.displayName === 'Alice') return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name}: no right answer on port ${port} within 30 s`);
}

function load({ port }, seconds) {
  const output = execFileSync(
    'taskset',
    ['-c', loadCore, 'wrk', '-t1', '-c32', `-d${seconds}s`, `http://127.0.0.1:${port}/api/v1/users/1`],
    { encoding: 'utf8' },
  );
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(`the load met failures:\n${output}`);
  return Number(/(\d+) requests in/.exec(output)[1]);
}

const children = subjects.map(start);
try {
  for (const subject of subjects) await ready(subject);
  for (const subject of subjects) load(subject, 4);
  const ratios = [];
  for (let round = 0; round < rounds; round += 1) {
    const costs = subjects.map((subject, index) => {
      const before = cpuTimeUs(children[index].pid);
      const requests = load(subject, 2);
      return (cpuTimeUs(children[index].pid) - before) / requests;
    });
    ratios.push(costs[0] / costs[1]);
    console.log(
      `round ${round + 1}: ${subjects.map(({ name }, index) => `${name} ${costs[index].toFixed(1)} µs`).join(', ')}, ratio ${ratios.at(-1).toFixed(2)}`,
    );
  }
  console.log(
    `median ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
  );
} finally {
  for (const child of children) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}
