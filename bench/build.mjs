// What is measured, brought up to date: dist, the generated messages, the programs in TypeScript and the peer in Go.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { contentFingerprint, readStamp, writeStamp } from '../scripts/fingerprint.mjs';
import { go } from '../scripts/go-tools.mjs';
import { prepare } from '../scripts/prepare.mjs';
import { StepError, step } from '../scripts/progress.mjs';
import { ROOT, runTool } from '../scripts/tools.mjs';

const BENCH = join(ROOT, 'bench');
const OUT = join(ROOT, '.cache/bench');
const PEER = join(BENCH, 'peers/go-gin');

/** Builds everything that is out of date. */
export async function build() {
  await prepare({ build: true });
  await generateMessages();
  await compilePrograms();
  await buildGoPeer();
}

/** The messages of bench/proto in TypeScript. */
export async function generateMessages() {
  await once('messages', ['bench/proto', 'bench/buf.gen.yaml', 'package-lock.json'], 'gen', () =>
    tool('@bufbuild/buf', 'buf', ['generate'], BENCH),
  );
}

async function compilePrograms() {
  await tool('typescript', 'tsc', ['-p', 'bench/tsconfig.build.json', '--pretty', 'false'], ROOT);
}

async function buildGoPeer() {
  const inputs = ['bench/proto', 'bench/buf.gen.go.yaml', 'bench/peers/go-gin'];
  await once('go-peer', inputs, 'peers/go-gin/gen', () =>
    step('building the peer in Go', 'about a minute with empty caches', async () => {
      const env = { CGO_ENABLED: '0', GOBIN: join(OUT, 'bin') };
      const options = { cwd: PEER, neededFor: 'the benchmark', env };
      await go(['install', 'tool'], options);
      await tool('@bufbuild/buf', 'buf', ['generate', '--template', 'buf.gen.go.yaml'], BENCH);
      await go(['build', '-trimpath', '-ldflags=-s -w', '-o', join(OUT, 'bin/go-peer'), '.'], options);
    }),
  );
}

/**
 * Runs `work` unless `inputs` are as they were when it ran last and its output is still there.
 *
 * @param {string} name
 * @param {string[]} inputs relative to the root
 * @param {string} output relative to bench/
 * @param {() => Promise<void>} work
 */
async function once(name, inputs, output, work) {
  const stamp = join(OUT, `${name}.stamp.json`);
  const fingerprint = contentFingerprint(ROOT, inputs, (path) => !path.includes('/gen/'));
  if (existsSync(join(BENCH, output)) && readStamp(stamp)?.inputs === fingerprint) return;
  mkdirSync(OUT, { recursive: true });
  await work();
  writeStamp(stamp, { inputs: fingerprint, outputs: '' });
}

/**
 * @param {string} packageName
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
async function tool(packageName, command, args, cwd) {
  const { code, output } = await runTool(packageName, command, args, { cwd });
  if (code !== 0) throw new StepError(`${command} ended with ${code}`, output);
}
