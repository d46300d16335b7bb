import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DynamicModule, Type } from '@nestjs/common';
import { configChangeChannel, type ConfigChanged, configFailureChannel, type ConfigFailed } from 'rookery/config';
import { openResources, type Resources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { expect } from 'vitest';
import { GrpcCaller } from './grpc-caller.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';
import { TrialModule } from './trial.module.js';

/** Settings by path. */
export type Settings = Readonly<Record<string, unknown>>;

// Far beyond what an edit takes.
const editTimeMs = 10_000;

const own: Settings = {
  'server.host': '127.0.0.1',
  'server.port': 0,
  'config.settleMs': 10,
  'config.pollMs': 200,
};

/** What an edit of the file became. */
export type Edited = ConfigChanged['version'] | ConfigFailed['failure'];

/** A service whose settings stand in a file that is edited while it runs. */
export class EditedApp {
  readonly test: TestService;
  readonly caller: GrpcCaller;
  readonly #folder: TemporaryFolder;
  readonly #before: Resources;
  #settings: Settings;
  #edits = 0;

  private constructor(test: TestService, settings: Settings, folder: TemporaryFolder, before: Resources) {
    this.test = test;
    this.caller = new GrpcCaller(test.address);
    this.#settings = settings;
    this.#folder = folder;
    this.#before = before;
  }

  /**
   * @param settings what the file says at first
   * @param fromFile settings of tests that the command line would put over the file
   */
  static async start(
    settings: Settings = {},
    { application = TrialModule as Type | DynamicModule, fromFile = [] as readonly string[] } = {},
  ): Promise<EditedApp> {
    const before = openResources();
    const folder = await temporaryFolder();
    const all = { ...own, ...settings };
    await write(folder, yamlOf(all));
    const set = Object.fromEntries(['server.port', ...fromFile].map((path) => [path, undefined]));
    return new EditedApp(
      await startTestService(application, { configDirectory: folder.path, set }),
      all,
      folder,
      before,
    );
  }

  get url(): string {
    return this.test.url;
  }

  /** A file beside the configuration. */
  path(name: string): string {
    return join(this.#folder.path, name);
  }

  /** Changes settings, `undefined` takes one away, and waits until the running service has taken them over. */
  async edit(changes: Settings): Promise<ConfigChanged['version']> {
    const outcome = await this.tryEdit(changes);
    if ('message' in outcome) throw new Error(`not taken over: ${outcome.message}`);
    return outcome;
  }

  /** As `edit()`, for changes that may be refused. */
  async tryEdit(changes: Settings): Promise<Edited> {
    this.#edits += 1;
    // Also what changes nothing that is read is a version: so there is something to wait for.
    this.#settings = { ...this.#settings, ...changes, edits: this.#edits };
    return this.write(yamlOf(this.#settings));
  }

  /** Puts any text into the file, and waits for what becomes of it. */
  async write(text: string): Promise<Edited> {
    const outcome = this.#next();
    await write(this.#folder, text);
    return outcome;
  }

  /** Stops, and asserts that everything ended by itself and nothing stays open. */
  async close(): Promise<void> {
    this.caller.close();
    expect(await this.test.close()).toBe(0);
    await this.#folder.remove();
    await untilReleased(this.#before);
  }

  #next(): Promise<Edited> {
    const { config } = this.test.service;
    const { promise, resolve, reject } = Promise.withResolvers<Edited>();
    const leave = [
      configChangeChannel.subscribe(({ store, version }) => store === config && resolve(version)),
      configFailureChannel.subscribe(({ store, failure }) => store === config && resolve(failure)),
    ];
    const timer = setTimeout(() => reject(new Error(`the edit had no effect within ${editTimeMs} ms`)), editTimeMs);
    return promise.finally(() => {
      clearTimeout(timer);
      for (const each of leave) each();
    });
  }
}

// JSON is YAML, too.
function yamlOf(settings: Settings): string {
  const tree: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    const keys = path.split('.');
    const last = keys.pop() as string;
    let node = tree;
    for (const key of keys) node = (node[key] ??= {}) as Record<string, unknown>;
    node[last] = value;
  }
  return JSON.stringify(tree, undefined, 2);
}

async function write({ path }: TemporaryFolder, text: string): Promise<void> {
  await writeFile(join(path, '.new'), text);
  await rename(join(path, '.new'), join(path, 'application-test.yaml'));
}
