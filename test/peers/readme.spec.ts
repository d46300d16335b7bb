import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { nacosTimeoutMs, startNacos, type TestNacos } from '../support/nacos-server.js';
import { isSkipped, peer, peerTimeoutMs } from '../support/peers.js';
import { isSaid, type ReadmeCommand, readmeCommands } from '../support/readme-commands.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'dist/framework/server/rookery.bin.js');
const [start, edit, wrong, nacosBlock] = readmeCommands('Change it while it runs');

/** A reader who has cloned the repository, and sits before two terminals. */
class Reader {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'rookery-reader-'));
  readonly #environment: Record<string, string> = {};
  #service: ChildService | undefined;

  async clone(): Promise<void> {
    cpSync(join(root, 'config'), join(this.folder, 'config'), { recursive: true });
    symlinkSync(await peer('grpcurl'), join(this.folder, 'grpcurl'));
    await this.#shell('git init -q && git add config && git -c user.name=x -c user.email=x@x commit -qm x');
  }

  /** The first terminal. */
  async npmStart(environment: Record<string, string> = {}): Promise<void> {
    Object.assign(this.#environment, environment);
    const own = { ROOKERY_ENV: 'development', ROOKERY_AUTH__JWT__SECRET: '' };
    this.#service = await ChildService.start({ ...own, ...environment }, { cwd: this.folder });
  }

  get log(): string {
    return this.#service?.stdout ?? '';
  }

  /** The second one: runs each command until it writes what the readme says, which may be a moment later. */
  async types(commands: readonly ReadmeCommand[]): Promise<void> {
    for (const { command, output } of commands) {
      if (output === undefined) await this.#shell(command);
      else {
        let last = '';
        await eventually(`${command}\n${output}`, async () =>
          isSaid(output, (last = await this.#shell(command))),
        ).catch((error: unknown) => {
          throw new Error(`${String(error)}\nlast: ${last}`);
        });
      }
    }
  }

  async leave(): Promise<void> {
    await this.#service?.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // What cannot be the same here: the port, and a repository of one's own.
  #shell(command: string): Promise<string> {
    const here = command
      .replaceAll('127.0.0.1:8080', this.#service?.address ?? '127.0.0.1:8080')
      .replace(/^export ROOKERY_NACOS__ADDRESS=127\.0\.0\.1:8848$/, 'true')
      .replace(/^npm run config --/, `"${process.execPath}" "${bin}" config`);
    const { HOME = '', PATH = '' } = process.env;
    const env = { HOME, PATH: `${this.folder}:${dirname(process.execPath)}:${PATH}`, ...this.#environment };
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    execFile('bash', ['-ec', here], { cwd: this.folder, env, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${here}: ${error.message}\n${stderr}`));
    });
    return promise;
  }
}

describe.skipIf(isSkipped('grpcurl'))('the readme, read with two terminals', () => {
  let reader: Reader;

  beforeAll(async () => {
    reader = new Reader();
    await reader.clone();
  }, peerTimeoutMs);

  afterAll(() => reader.leave());

  it('changes the running service by its file, and refuses what is wrong', async () => {
    expect(start).toEqual([{ command: 'npm start', output: undefined }]);
    await reader.npmStart();

    await reader.types(edit ?? []);
    await reader.types(wrong?.slice(0, 1) ?? []);
    const told = 'version 3 stays; files: config/application-development.yaml:13: a key stands twice in one mapping';
    await eventually('the log says so', () => reader.log.includes(told));
    await reader.types(wrong?.slice(1) ?? []);

    expect(edit?.length).toBe(6);
    expect(wrong?.length).toBe(4);
  });
});

describe.skipIf(isSkipped('nacos') || isSkipped('grpcurl'))('the readme, read with Nacos', () => {
  let nacos: TestNacos;
  let reader: Reader;

  beforeAll(async () => {
    nacos = await startNacos({ version: '3.1', hasAuth: true, isCompatible: false });
    reader = new Reader();
    await reader.clone();
  }, nacosTimeoutMs);

  afterAll(async () => {
    await reader?.leave();
    await nacos?.close();
  }, 30_000);

  it('changes the running service by what is published', async () => {
    const { username = '', password = '' } = nacos.user ?? {};
    await reader.npmStart({
      ROOKERY_NACOS__ADDRESS: nacos.address,
      ROOKERY_NACOS__USERNAME: username,
      ROOKERY_NACOS__PASSWORD: password,
    });

    await reader.types(nacosBlock ?? []);

    expect(nacosBlock?.length).toBe(4);
  });
});
