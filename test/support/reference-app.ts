import { openResources, type Resources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { expect } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { GrpcCaller } from './grpc-caller.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';

/** The reference service with three users and two files, in memory and in a folder of its own. */
export class ReferenceApp {
  readonly test: TestService;
  readonly caller: GrpcCaller;
  readonly #before: Resources;
  readonly #folder: TemporaryFolder;

  private constructor(test: TestService, before: Resources, folder: TemporaryFolder) {
    this.test = test;
    this.caller = new GrpcCaller(test.address);
    this.#before = before;
    this.#folder = folder;
  }

  static async start(set: Readonly<Record<string, unknown>> = {}): Promise<ReferenceApp> {
    const before = openResources();
    const folder = await temporaryFolder();
    const own = { 'users.seed': true, 'files.seed': true, 'files.directory': folder.path };
    return new ReferenceApp(await startTestService(AppModule, { set: { ...own, ...set } }), before, folder);
  }

  get url(): string {
    return this.test.url;
  }

  /** Requests that the service believes to be at work on. */
  get inFlight(): number {
    return this.test.service.lifecycle.inFlight;
  }

  /** Folder of the files. */
  get files(): string {
    return this.#folder.path;
  }

  /** Stops, and asserts that everything ended by itself and nothing stays open. */
  async close(): Promise<void> {
    this.caller.close();
    expect(await this.test.close()).toBe(0);
    await this.#folder.remove();
    await untilReleased(this.#before);
  }
}
