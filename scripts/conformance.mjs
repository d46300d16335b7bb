// `npm run conformance`: the public suite of the Connect project (gRPC and gRPC-Web) against a service built on this package.
// `npm run conformance -- --run '**/unary/**' --trace` runs part of it and shows what went over the wire.
import { appendFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { go, goTool } from './go-tools.mjs';
import { StepError, execute, secondsSince, withHeartbeat } from './progress.mjs';
import { ROOT, runTool, toolEnvironment } from './tools.mjs';

const MODULE = 'connectrpc.com/conformance';
const VERSION = 'v1.0.7';
const PROGRAM = 'connectconformance';
const DESCRIPTORS = 'descriptors.binpb';
const NEEDED_FOR = 'the conformance suite';

/** Of what the services log: they say little unless something is wrong. */
const KEPT_LOG_CHARS = 64 * 1024;

/** What test/conformance/config.yaml amounts to, 6 of them with client certificates: one that is left out shows here. */
const EXPECTED_CASES = 1310;

const SERVICE = join(ROOT, 'test/conformance');
const COMPILED = join(ROOT, '.cache/conformance/service');

/**
 * The messages and services of the suite, as the module of this very version describes them.
 *
 * @param {string} folder
 */
async function describeInto(folder) {
  const module = JSON.parse(
    await go(['mod', 'download', '-json', `${MODULE}@${VERSION}`], { cwd: folder, neededFor: NEEDED_FOR }),
  );
  const proto = join(module.Dir, 'proto');
  const wanted = ['service', 'server_compat'].flatMap((name) => [
    '--path',
    join(proto, `connectrpc/conformance/v1/${name}.proto`),
  ]);
  const args = ['build', proto, ...wanted, '-o', join(folder, DESCRIPTORS)];
  const { code, output } = await runTool('@bufbuild/buf', 'buf', args, { cwd: folder });
  if (code !== 0) throw new StepError(`buf build ended with ${code}`, output);
}

async function compileService() {
  // Types are what `npm run check` looks at.
  const args = ['-p', join(SERVICE, 'tsconfig.json'), '--noCheck', '--pretty', 'false'];
  const { code, output } = await runTool('typescript', 'tsc', args);
  if (code !== 0) throw new StepError(`tsc ended with ${code}`, output);
}

/**
 * Starts the process that serves, for as long as `work` runs.
 *
 * @template T
 * @param {NodeJS.ProcessEnv} env
 * @param {(port: string) => Promise<T>} work
 * @returns {Promise<{ result: T, log: string }>} and what the services wrote
 */
async function withServices(env, work) {
  // It ends with its standard input, so also when this process is killed.
  const child = spawn(process.execPath, [join(COMPILED, 'serve.js')], { cwd: ROOT, env, stdio: 'pipe' });
  let log = '';
  const keep = (/** @type {string} */ text) => {
    log = (log + text).slice(-KEPT_LOG_CHARS);
  };
  child.stderr.setEncoding('utf8').on('data', keep);
  try {
    const port = await new Promise((resolve, reject) => {
      child.stdout.setEncoding('utf8').once('data', (text) => {
        child.stdout.on('data', keep);
        resolve(text.trim());
      });
      child.once('exit', (code) => reject(new StepError(`the service under test ended with ${code}`, log)));
    });
    return { result: await work(port), log };
  } finally {
    child.stdin.end();
  }
}

/** @param {string} output of the suite */
function totalsOf(output) {
  const total = /^Total cases: (\d+)$/m.exec(output);
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(output);
  if (!total || !counts) throw new StepError('the conformance suite broke off before it had counted', output);
  return { total: Number(total[1]), passed: Number(counts[1]), failed: Number(counts[2]) };
}

/**
 * @param {readonly string[]} args for the suite; without any, all cases have to be run
 * @returns {Promise<boolean>} whether all passed
 */
export async function runConformance(args) {
  const startedAt = Date.now();
  const home = await goTool({
    name: PROGRAM,
    source: `${MODULE}/cmd/${PROGRAM}`,
    version: VERSION,
    neededFor: NEEDED_FOR,
    complete: describeInto,
  });
  await compileService();
  const flags = ['--mode', 'server', '--conf', join(SERVICE, 'config.yaml'), '--max-servers', '2', '--parallel', '4'];
  const command = ['--', process.execPath, join(COMPILED, 'relay.js')];
  const env = { ...toolEnvironment(), CONFORMANCE_DESCRIPTORS: join(home, DESCRIPTORS) };
  const { result, log } = await withHeartbeat('conformance', () =>
    withServices(env, (port) =>
      execute(join(home, PROGRAM), [...flags, ...args, ...command], {
        cwd: ROOT,
        env: { ...env, CONFORMANCE_PORT: port },
      }),
    ),
  );
  const { code, output } = result;
  const { total, passed, failed } = totalsOf(output);
  const missing = args.length === 0 && total !== EXPECTED_CASES;
  const isGood = code === 0 && failed === 0 && passed === total && total > 0 && !missing;
  if (!isGood) console.log(`${log}\n${output}`);
  if (missing) console.log(`conformance: ${total} cases were run (expected: ${EXPECTED_CASES})`);
  console.log(`conformance: ${passed} passed, ${failed} failed, in ${secondsSince(startedAt).toFixed(1)} s`);
  const file = process.env['RESULTS_FILE'];
  const counted = { suite: 'conformance', passed, failed: isGood ? 0 : Math.max(1, failed) };
  if (file) appendFileSync(file, `${JSON.stringify(counted)}\n`);
  return isGood;
}
