import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../scripts/toolchain.mjs';

/** The versions that can be had as packages. */
export type NacosVersion = '3.1' | '2.3';

interface Kit {
  readonly artifacts: readonly string[];
  /** Of all jars by name: what was tested with is what runs. */
  readonly sha256: string;
  readonly launcher: string | undefined;
}

const launcherSource = fileURLToPath(new URL('nacos/NacosLauncher.java', import.meta.url));

// Upstream publishes no server as a package: these are its sources, built by others under the same licence.
const kits: Record<NacosVersion, Kit> = {
  '3.1': {
    artifacts: [
      'io.github.pig-mesh.nacos:nacos-server:3.1.0-bugfix',
      'io.github.pig-mesh.nacos:nacos-console:3.1.0-bugfix',
    ],
    sha256: '742328b69c745614b4dca8ec74cced5cc46b2725dfdb9500283102ce95fd26ad',
    launcher: launcherSource,
  },
  '2.3': {
    artifacts: ['org.jeecgframework.nacos:nacos-console:2.3.2'],
    sha256: '7bbc5b60bdac3f781ea9d0971440519080284c936f6474b24ecfb6727c17d7c6',
    launcher: undefined,
  },
};

const installTimeoutMs = 10 * 60_000;
const cure =
  'needs a JDK, 17 or newer, and Maven (Debian: apt-get install default-jdk-headless maven); without: ROOKERY_TEST_SKIP=nacos';

/**
 * The class path of a Nacos server; its jars (150 to 190 MB) are fetched once, by Maven with the machine's settings, into
 * the cache that all checkouts share.
 *
 * @throws Error naming the cure
 */
export async function nacosClassPath(version: NacosVersion): Promise<string> {
  const kit = kits[version];
  const folder = join(cacheFolder(), `nacos-${version}-${kit.sha256.slice(0, 12)}`);
  if (!existsSync(folder)) await install(version, kit, folder);
  // Two packages carry the same classes, and the later hessian lacks some methods: the earlier one comes first.
  return [join(folder, 'classes'), join(folder, 'lib', 'hessian-4.0.63.jar'), join(folder, 'lib', '*')].join(':');
}

async function install(version: NacosVersion, kit: Kit, folder: string): Promise<void> {
  mkdirSync(cacheFolder(), { recursive: true });
  const draft = mkdtempSync(join(cacheFolder(), 'draft-nacos-'));
  process.stderr.write(`rookery: fetching the jars of Nacos ${version}: once, a minute or two\n`);
  try {
    const lib = join(draft, 'lib');
    const classes = join(draft, 'classes');
    writeFileSync(join(draft, 'pom.xml'), pom(kit.artifacts));
    mkdirSync(classes);
    const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
    const where = [`-Dmaven.repo.local=${join(draft, 'm2')}`, `-DoutputDirectory=${lib}`, '-DincludeScope=runtime'];
    await run('mvn', ['-B', '-q', '-f', join(draft, 'pom.xml'), ...where, plugin]);
    const found = fingerprint(lib);
    if (found !== kit.sha256)
      throw new Error(`the jars of Nacos ${version} are others than tested (${found}, expected: ${kit.sha256})`);
    if (kit.launcher !== undefined) await run('javac', ['-nowarn', '-cp', join(lib, '*'), '-d', classes, kit.launcher]);
    rmSync(join(draft, 'm2'), { recursive: true });
    if (!existsSync(folder)) renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)('nice', [program, ...args], { timeout: installTimeoutMs }).catch((error: unknown) => {
    throw new Error(`${program} failed: a Nacos server ${cure}`, { cause: error });
  });
}

function fingerprint(folder: string): string {
  const all = createHash('sha256');
  for (const name of readdirSync(folder).toSorted()) {
    all.update(
      `${name} ${createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')}\n`,
    );
  }
  return all.digest('hex');
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>rookery.test</groupId><artifactId>nacos</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('')}</dependencies></project>
`;
}
