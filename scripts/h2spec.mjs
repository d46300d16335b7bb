// `npm run h2spec`: all cases of h2spec against the built reference service, on cleartext and on TLS.
// `npm run h2spec -- http2/6.5` runs part of it, and shows each case.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goTool } from './go-tools.mjs';
import { StepError, execute, secondsSince, withHeartbeat } from './progress.mjs';
import { ROOT, toolEnvironment } from './tools.mjs';

const MODULE = 'github.com/summerwind/h2spec';
const VERSION = 'v2.2.1+incompatible';
const PROGRAM = 'h2spec';

/** What h2spec has: one that is left out shows here. */
const EXPECTED_CASES = 145;

/** A public route with an answer of a few hundred bytes, as some cases need. */
const PATH = '/api/v1/users/1';

/** For one answer: the machines that run this do other things besides. */
const TIMEOUT_SECONDS = '5';

const START_TIMEOUT_MS = 60_000;
// The service has nothing left to do then; longer than its own grace.
const STOP_TIMEOUT_MS = 30_000;

/**
 * A key and a certificate for it, of an hour.
 *
 * @param {string} folder
 */
async function makeCertificate(folder) {
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.keyFile];
  const { code, output } = await execute(
    'openssl',
    ['req', '-x509', ...key, '-out', files.certFile, '-subj', '/CN=localhost', '-days', '1'],
    { cwd: folder },
  );
  if (code !== 0) throw new StepError(`openssl ended with ${code}`, output);
  return files;
}

/**
 * Starts the built service on a free port.
 *
 * @param {Record<string, string>} settings
 */
async function startService(settings) {
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], {
    cwd: ROOT,
    env: {
      ...toolEnvironment(),
      ROOKERY_ENV: 'test',
      ROOKERY_SERVER__HOST: '127.0.0.1',
      ROOKERY_SERVER__PORT: '0',
      ROOKERY_LOG__ACCESS: 'false',
      ROOKERY_AUTH__JWT__SECRET: randomBytes(32).toString('hex'),
      ROOKERY_USERS__SEED: 'true',
      DATABASE_URL: 'sqlite::memory:',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (/** @type {string} */ text) => {
    output = (output + text).slice(-64 * 1024);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const ended = once(child, 'close');
  const startedAt = Date.now();
  const port = () => /"address":"127\.0\.0\.1:(\d+)"/.exec(output)?.[1];
  while (port() === undefined) {
    if (child.exitCode !== null || Date.now() - startedAt > START_TIMEOUT_MS) {
      child.kill('SIGKILL');
      throw new StepError('the service did not start', output);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port: /** @type {string} */ (port()),
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(late);
      if (child.exitCode !== 0) throw new StepError(`the service ended with ${child.exitCode}`, output);
    },
  };
}

/** @param {string} output of h2spec */
function totalsOf(output) {
  const counts = /^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed$/m.exec(output);
  if (!counts) throw new StepError('h2spec broke off before it had counted', output);
  const [total = 0, passed = 0, skipped = 0, failed = 0] = counts.slice(1).map(Number);
  return { total, passed, skipped, failed };
}

/**
 * @param {string} program
 * @param {string} name of the run, for people
 * @param {Record<string, string>} settings of the service
 * @param {readonly string[]} flags of h2spec
 * @param {readonly string[]} args of the caller; without any, all cases have to be run
 */
async function runAgainst(program, name, settings, flags, args) {
  const startedAt = Date.now();
  const service = await startService(settings);
  const target = ['-h', '127.0.0.1', '-p', service.port, '-P', PATH, '-o', TIMEOUT_SECONDS];
  let ran;
  try {
    ran = await withHeartbeat(`h2spec on ${name}`, () =>
      execute(program, [...target, ...flags, ...args], { cwd: ROOT }),
    );
  } finally {
    await service.stop();
  }
  const { code, output } = ran;
  const { total, passed, skipped, failed } = totalsOf(output);
  const isWhole = args.length > 0 || total === EXPECTED_CASES;
  const isGood = code === 0 && failed === 0 && skipped === 0 && passed === total && total > 0 && isWhole;
  if (!isGood || args.length > 0) console.log(output);
  if (!isWhole) console.log(`h2spec on ${name}: ${total} cases were run (expected: ${EXPECTED_CASES})`);
  const seconds = secondsSince(startedAt).toFixed(1);
  console.log(`h2spec on ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped, in ${seconds} s`);
  return { passed, failed: isGood ? 0 : Math.max(1, failed + skipped) };
}

/**
 * @param {readonly string[]} args for h2spec
 * @returns {Promise<boolean>} whether all passed
 */
export async function runH2spec(args) {
  const home = await goTool({
    name: PROGRAM,
    source: `${MODULE}/cmd/${PROGRAM}`,
    version: VERSION,
    neededFor: PROGRAM,
  });
  const program = join(home, PROGRAM);
  const folder = mkdtempSync(join(tmpdir(), 'rookery-h2spec-'));
  try {
    const cleartext = await runAgainst(program, 'cleartext', {}, [], args);
    const { certFile, keyFile } = await makeCertificate(folder);
    const tls = { ROOKERY_SERVER__TLS__CERT_FILE: certFile, ROOKERY_SERVER__TLS__KEY_FILE: keyFile };
    const secure = await runAgainst(program, 'TLS', tls, ['-t', '-k'], args);
    const passed = cleartext.passed + secure.passed;
    const failed = cleartext.failed + secure.failed;
    const file = process.env['RESULTS_FILE'];
    if (file) appendFileSync(file, `${JSON.stringify({ suite: 'h2spec', passed, failed })}\n`);
    return failed === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
