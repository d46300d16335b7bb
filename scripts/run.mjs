// Behind the commands of package.json (`npm start`, `npm test`, `npm run check` …): brings Node 24, the packages, the generated
// and the compiled code up to date, then does what was asked. Starts on any Node from 20 on, so what it imports is plain
// JavaScript without dependencies.
import { join } from 'node:path';
import { prepare } from './prepare.mjs';
import { StepError, endChildrenOnSignal, say } from './progress.mjs';
import { ROOT, toolEnvironment, toolPath } from './tools.mjs';
import { become, environmentFor, newerNode, restartOn } from './toolchain.mjs';

/** @type {Record<string, (args: string[]) => Promise<void>>} */
const commands = {
  async build() {
    await prepare({ build: true });
  },

  async start(args) {
    await prepare({ build: true });
    restoreSignals();
    become(process.execPath, [join(ROOT, 'dist/main.js'), ...args], environmentFor(process.execPath), ROOT);
  },

  async test(args) {
    await prepare({ build: true });
    restoreSignals();
    become(process.execPath, [toolPath('vitest', 'vitest'), 'run', ...args], toolEnvironment(), ROOT);
  },

  async bench(args) {
    await prepare({ build: true });
    restoreSignals();
    const [file, rest] = args[0] === 'profile' ? ['profile.mjs', args.slice(1)] : ['run.mjs', args];
    become(process.execPath, [join(ROOT, 'bench', file), ...rest], toolEnvironment(), ROOT);
  },

  async config(args) {
    await prepare({ build: true });
    restoreSignals();
    const bin = join(ROOT, 'dist/framework/server/rookery.bin.js');
    become(process.execPath, [bin, 'config', ...args], environmentFor(process.execPath), ROOT);
  },

  async check(args) {
    await prepare({ build: false });
    // Loaded late: it may use what only the newer Node has.
    const { runChecks } = await import('./checks.mjs');
    const { generateMessages } = await import('../bench/build.mjs');
    await generateMessages();
    process.exitCode = (await runChecks(args)) ? 0 : 1;
  },

  async conformance(args) {
    await prepare({ build: true });
    const { runConformance } = await import('./conformance.mjs');
    process.exitCode = (await runConformance(args)) ? 0 : 1;
  },

  async h2spec(args) {
    await prepare({ build: true });
    const { runH2spec } = await import('./h2spec.mjs');
    process.exitCode = (await runH2spec(args)) ? 0 : 1;
  },
};

const [name = '', ...args] = process.argv.slice(2);
const restoreSignals = endChildrenOnSignal();
try {
  const command = commands[name];
  if (!command) throw new StepError(`unknown command "${name}" (expected: ${Object.keys(commands).join(', ')})`);
  const node = await newerNode();
  if (node) {
    restoreSignals();
    restartOn(node);
  } else {
    await command(args);
  }
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  if (error.output) process.stderr.write(`${error.output}\n`);
  say(error.message);
  process.exitCode = 1;
}
