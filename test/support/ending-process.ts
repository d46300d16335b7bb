import { ChildService, type Exit, type LogLine, type Program } from './child-service.js';
import { compiledProgram } from './compiled-program.js';
import type { EndingReady } from './ending-main.js';
import { http, type HttpAnswer } from './http-caller.js';

/** How a process ended, and how long after `sinceMs`. */
export interface Ending extends Exit {
  readonly afterMs: number;
}

/** A small service in a process of its own, for the ways in which it can end. */
export class EndingProcess {
  readonly child: ChildService;
  #port = 0;

  private constructor(child: ChildService) {
    this.child = child;
  }

  /** Starts it without waiting for anything. */
  static async spawn(
    environment: Readonly<Record<string, string>>,
    program: Partial<Program> = {},
  ): Promise<EndingProcess> {
    const path = await compiledProgram(['ending-main']);
    return new EndingProcess(new ChildService(environment, { path, args: [], nodeOptions: [], ...program }));
  }

  /** Starts it, and waits until it listens. */
  static async start(
    environment: Readonly<Record<string, string>> = {},
    program: Partial<Program> = {},
  ): Promise<EndingProcess> {
    const ending = await EndingProcess.spawn(environment, program);
    const { port } = (await ending.child.message()) as EndingReady;
    ending.#port = port;
    return ending;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get(path: string): Promise<HttpAnswer> {
    return http(this.url, { path });
  }

  /** A request that is answered when the process is told to release it. Resolves when it is at work. */
  async hold(): Promise<{ readonly answer: Promise<HttpAnswer> }> {
    const begun = this.child.message();
    const answer = this.get('/held');
    answer.catch(() => {});
    await begun;
    return { answer };
  }

  release(): void {
    this.child.send('release');
  }

  /** Has it come to a defect, or to whatever else its program knows. */
  cause(what: string): void {
    this.child.send(what);
  }

  line(message: string): Promise<LogLine> {
    return this.child.line(message);
  }

  async ended(sinceMs = performance.now()): Promise<Ending> {
    const exit = await this.child.exit;
    return { ...exit, afterMs: exit.atMs - sinceMs };
  }

  /** Sends a signal, and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ending> {
    const sinceMs = performance.now();
    this.child.kill(signal);
    return this.ended(sinceMs);
  }
}
