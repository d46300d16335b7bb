import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { ChildService } from './child-service.js';
import type { Crash, TrialReady, TrialReport } from './trial-main.js';

const sources = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
// Within the package, so that `rookery/…` means the package as built.
const output = join(root, '.cache/trial');

const files = [
  'trial-failures',
  'trial-main',
  'trial-proto',
  'trial-state',
  'trial.controller',
  'trial.dto',
  'trial.module',
];

/** The trial application and the users' service in a process of their own, without a test runner around the code. */
export class TrialProcess {
  readonly port: number;
  readonly #service: ChildService;

  private constructor(service: ChildService, port: number) {
    this.#service = service;
    this.port = port;
  }

  static async start(environment: Readonly<Record<string, string>>): Promise<TrialProcess> {
    await compile();
    const users = pathToFileURL(join(root, 'dist/service/users/index.js')).href;
    const program = { path: join(output, 'trial-main.js'), args: [users], nodeOptions: ['--expose-gc'] };
    const service = new ChildService(environment, program);
    const { port } = (await service.message()) as TrialReady;
    return new TrialProcess(service, port);
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

async function compile(): Promise<void> {
  await mkdir(output, { recursive: true });
  const compilerOptions: ts.CompilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2024,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    verbatimModuleSyntax: true,
  };
  await Promise.all(
    files.map(async (name) => {
      const source = await readFile(join(sources, `${name}.ts`), 'utf8');
      const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: `${name}.ts` });
      await writeFile(join(output, `${name}.js`), outputText);
    }),
  );
}
