import { fileURLToPath, pathToFileURL } from 'node:url';
import { ChildService } from './child-service.js';
import { compiledProgram } from './compiled-program.js';
import type { Crash, TrialReady, TrialReport } from './trial-main.js';

const usersModule = fileURLToPath(new URL('../../dist/service/users/index.js', import.meta.url));

const files = [
  'trial-main',
  'trial-failures',
  'trial-proto',
  'trial-state',
  'trial.controller',
  'trial.dto',
  'trial.module',
] as const;

/** The trial application and the users' service in a process of their own, without a test runner around the code. */
export class TrialProcess {
  readonly port: number;
  readonly #service: ChildService;

  private constructor(service: ChildService, port: number) {
    this.#service = service;
    this.port = port;
  }

  /** @param nodeOptions of the process, such as one that limits its heap */
  static async start(
    environment: Readonly<Record<string, string>>,
    nodeOptions: readonly string[] = [],
  ): Promise<TrialProcess> {
    const path = await compiledProgram(files);
    const program = { path, args: [pathToFileURL(usersModule).href], nodeOptions: ['--expose-gc', ...nodeOptions] };
    const service = new ChildService(environment, program);
    const { port } = (await service.message()) as TrialReady;
    return new TrialProcess(service, port);
  }

  get pid(): number {
    return this.#service.pid;
  }

  /** What is in use, after everything that can go has gone. */
  async report(): Promise<TrialReport> {
    return (await this.#service.message('report')) as TrialReport;
  }

  /** Has it fail by a defect of its own. Resolves with its exit code and what it said. */
  async crash(how: Crash): Promise<{ readonly code: number | null; readonly stderr: string }> {
    this.#service.send(how);
    const { code } = await this.#service.exit;
    return { code, stderr: this.#service.stderr };
  }

  /** Stops it by SIGTERM. Resolves with its exit code. */
  async stop(): Promise<number | null> {
    this.#service.kill('SIGTERM');
    return (await this.#service.exit).code;
  }
}
