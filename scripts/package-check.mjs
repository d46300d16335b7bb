// What would be published, looked at as a stranger gets it: the files in the tarball, its doors, and a service built on it.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runExample } from './example-check.mjs';
import { npm } from './npm.mjs';
import { prepare } from './prepare.mjs';
import { StepError } from './progress.mjs';
import { ROOT, runTool } from './tools.mjs';

/** Everything that may be published; the bootstrap, the reference service and the tests are not in it. */
const PUBLISHED = [
  /^dist\/(?:framework|gen\/(?:google|grpc|nacos))\/.+(?<![.]spec)[.](?:js|js[.]map|d[.]ts)$/,
  /^proto\/(?:google|grpc|nacos)\/.+[.]proto$/,
  /^docs\/[^/]+[.]md$/,
  /^(?:package[.]json|README[.]md|CHANGELOG[.]md|LICENSE)$/,
];

/** Scripts that npm would run on the machine of whoever installs the package, or that would hide work from `npm pack`. */
const FORBIDDEN_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare', 'prepack', 'preprepare', 'postprepare'];

/** @type {Promise<{ file: string, files: string[] }> | undefined} */
let packed;

/** Packs once for all checks; builds before, if need be. */
function pack() {
  packed ??= (async () => {
    await prepare({ build: true });
    const folder = join(ROOT, '.cache/package');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const output = await npm(['pack', '--json', '--pack-destination', folder], { cwd: ROOT });
    const [tarball] = JSON.parse(output);
    return {
      file: join(folder, tarball.filename),
      files: tarball.files.map((/** @type {{ path: string }} */ { path }) => path),
    };
  })();
  return packed;
}

async function checkContent() {
  const { files } = await pack();
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const doors = Object.values(manifest.exports).map((target) => target.replace('./', ''));
  const problems = [
    ...files
      .filter((file) => !PUBLISHED.some((pattern) => pattern.test(file)))
      .map((file) => `${file}: not for publication`),
    ...doors.filter((door) => !files.includes(door)).map((door) => `${door}: in "exports", not in the package`),
    ...FORBIDDEN_SCRIPTS.filter((name) => name in manifest.scripts).map((name) => `script "${name}" in package.json`),
  ];
  if (problems.length > 0) throw new StepError(`${problems.length} problems in the tarball`, problems.join('\n'));
}

/**
 * @param {string} packageName
 * @param {string} command
 * @param {...string} options
 */
async function checkBy(packageName, command, ...options) {
  const { file } = await pack();
  const { code, output } = await runTool(packageName, command, [file, ...options]);
  if (code !== 0) throw new StepError(`${command} ended with ${code}`, output);
}

/** @type {import('./checks.mjs').Check[]} */
export const packageChecks = [
  { name: 'content', asks: 'the tarball holds what is published and nothing else', run: checkContent },
  { name: 'publint', asks: 'package.json fits the files', run: () => checkBy('publint', 'publint', '--strict') },
  {
    name: 'attw',
    asks: 'types are found behind every door',
    run: () => checkBy('@arethetypeswrong/cli', 'attw', '--profile', 'esm-only'),
  },
  {
    name: 'example',
    asks: 'the tarball in an empty project: the twenty-line service answers REST and gRPC',
    run: async () => runExample((await pack()).file),
  },
];
