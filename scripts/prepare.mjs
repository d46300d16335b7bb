// From a clone to something that runs: packages, generated code, compiled code. Each step is done only when what it reads has
// changed, and its stamp is written last, so that a step that was cut off is done again.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  contentFingerprint,
  filesBelow,
  readStamp,
  removeStamp,
  stateFingerprint,
  writeStamp,
} from './fingerprint.mjs';
import { exclusively } from './mutex.mjs';
import { npm } from './npm.mjs';
import { ENDED_BY_SIGNAL, StepError, step } from './progress.mjs';
import { ROOT, runTool } from './tools.mjs';

const WORK = join(ROOT, '.cache');

/** @typedef {(pid: number) => void} OnTool */

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {string} expected how long it usually takes
 * @property {() => boolean} isDone cheap; asked at every start
 * @property {(onTool: OnTool) => Promise<void>} run
 */

/** @type {Step} */
const install = {
  title: 'installing packages',
  expected: 'about 20 s, a minute or two with an empty npm cache',
  isDone() {
    const inputs = installInputs();
    if (readStamp(INSTALL_STAMP)?.inputs === inputs) return true;
    if (!holdsWhatTheLockSays()) return false;
    // Somebody ran `npm install`: that is as good.
    writeStamp(INSTALL_STAMP, { inputs, outputs: '' });
    return true;
  },
  async run(onTool) {
    const inputs = installInputs();
    // First the marks of completeness: npm deletes in no order, and may be stopped half way.
    removeStamp(INSTALL_STAMP);
    rmSync(join(ROOT, INSTALLED_LOCK), { force: true });
    await npm(['ci', '--prefer-offline', '--include=dev', '--include=optional'], { cwd: ROOT, onStart: onTool });
    writeStamp(INSTALL_STAMP, { inputs, outputs: '' });
  },
};

const INSTALL_STAMP = join(ROOT, 'node_modules/.rookery-stamp.json');
const INSTALLED_LOCK = 'node_modules/.package-lock.json';

function installInputs() {
  // Some packages carry programs of one system, so a folder that was copied from another system does not count.
  return `${process.platform}-${process.arch}-${contentFingerprint(ROOT, ['package-lock.json'])}`;
}

/** Compares npm's own record of what it installed with the lock file. */
function holdsWhatTheLockSays() {
  if (!existsSync(join(ROOT, INSTALLED_LOCK))) return false;
  const installed = readPackages(INSTALLED_LOCK);
  const locked = readPackages('package-lock.json');
  delete locked[''];
  const same = Object.entries(locked).every(([path, entry]) => {
    const found = installed[path];
    return found
      ? found.version === entry.version && found.integrity === entry.integrity
      : entry.optional || entry.devOptional;
  });
  return same && Object.keys(installed).every((path) => path in locked);
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }>}
 */
function readPackages(file) {
  return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
}

const GENERATED = join(ROOT, 'src/gen');
const GENERATED_STAMP = join(GENERATED, '.stamp.json');

/** @type {Step} */
const generate = {
  title: 'generating code from proto/',
  expected: 'about 2 s',
  isDone() {
    const stamp = readStamp(GENERATED_STAMP);
    return stamp?.inputs === generateInputs() && stamp.outputs === stateFingerprint(GENERATED);
  },
  async run(onTool) {
    const inputs = generateInputs();
    const draft = join(WORK, 'generated');
    rmSync(draft, { recursive: true, force: true });
    const { code, output } = await runTool('@bufbuild/buf', 'buf', ['generate', '-o', draft], { onStart: onTool });
    if (code !== 0) throw new StepError(`buf generate ended with ${code}`, output);
    const fresh = join(draft, 'src/gen');
    writeStamp(join(fresh, '.stamp.json'), { inputs, outputs: stateFingerprint(fresh) });
    rmSync(GENERATED, { recursive: true, force: true });
    renameSync(fresh, GENERATED);
  },
};

function generateInputs() {
  return contentFingerprint(ROOT, ['proto', 'buf.yaml', 'buf.gen.yaml', 'package-lock.json']);
}

const BUILT = join(ROOT, 'dist');
const BUILD_STAMP = join(BUILT, '.stamp.json');
/** There while the compiler writes: what is found beside it may be half of a file. */
const BUILD_UNFINISHED = join(BUILT, '.unfinished');
/** What the compiler remembers; it trusts that its output is still as it wrote it. */
const BUILD_MEMORY = join(BUILT, '.tsbuildinfo');

/** @type {Step} */
const compile = {
  title: 'compiling',
  expected: 'about 10 s, less when little changed',
  isDone() {
    const stamp = readStamp(BUILD_STAMP);
    return stamp?.inputs === buildInputs() && stamp.outputs === stateFingerprint(BUILT);
  },
  async run(onTool) {
    const inputs = buildInputs();
    if (existsSync(BUILD_UNFINISHED)) rmSync(BUILT, { recursive: true, force: true });
    if (readStamp(BUILD_STAMP)?.outputs !== stateFingerprint(BUILT)) rmSync(BUILD_MEMORY, { force: true });
    removeStamp(BUILD_STAMP);
    mkdirSync(BUILT, { recursive: true });
    writeFileSync(BUILD_UNFINISHED, '');
    const args = ['-p', 'tsconfig.build.json', '--pretty', 'false'];
    const { code, output } = await runTool('typescript', 'tsc', args, { onStart: onTool });
    // It ended by itself, with or without complaints, so its memory fits its output.
    if (code < ENDED_BY_SIGNAL) rmSync(BUILD_UNFINISHED, { force: true });
    if (code !== 0) throw new StepError(`tsc ended with ${code}`, output);
    removeStale();
    writeStamp(BUILD_STAMP, { inputs, outputs: stateFingerprint(BUILT) });
  },
};

/** @param {string} path */
function isCompiled(path) {
  return !path.endsWith('.spec.ts');
}

function buildInputs() {
  // package.json decides what `rookery/…` means, the lock file which compiler and which declarations are used.
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
  return contentFingerprint(ROOT, ['src', ...settings], isCompiled);
}

/** Deletes output whose source is gone; the compiler never does. */
function removeStale() {
  const sources = new Set(filesBelow(join(ROOT, 'src')).filter(isCompiled));
  const files = filesBelow(BUILT);
  const stale = files.filter((file) => !sources.has(file.replace(/(?:\.d\.ts|\.js)(?:\.map)?$/, '.ts')));
  for (const file of stale) rmSync(join(BUILT, file));
  for (const folder of new Set(stale.map((file) => dirname(file)))) removeEmpty(folder);
}

/** @param {string} folder relative to dist */
function removeEmpty(folder) {
  const full = join(BUILT, folder);
  if (folder === '.' || !existsSync(full) || readdirSync(full).length > 0) return;
  rmdirSync(full);
  removeEmpty(dirname(folder));
}

/**
 * Makes sure that packages are installed, code is generated and `dist` is built. Silent and quick when nothing changed.
 *
 * @param {{ build: boolean }} options
 */
export async function prepare({ build }) {
  const steps = build ? [install, generate, compile] : [install, generate];
  if (steps.every((one) => one.isDone())) return;
  await exclusively(join(WORK, 'prepare.lock'), async (onTool) => {
    for (const one of steps) {
      // Asked again under the lock: another run may have done it meanwhile.
      if (!one.isDone()) await step(one.title, one.expected, () => one.run(onTool));
    }
  });
}
