import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { testSecret } from 'rookery/testing';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** When, on the clock of `performance.now()`. */
  readonly atMs: number;
}

/** A line of the service's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** What to run. */
export interface Program {
  readonly path: string;
  readonly args: readonly string[];
  readonly nodeOptions: readonly string[];
  /** Working directory; that of the repository by default. */
  readonly cwd?: string;
  /** A command of the shell that becomes the process, such as one that sets a limit. */
  readonly shell?: string;
}

const reference: Program = { path: main, args: [], nodeOptions: [] };

const defaults = {
  PORT: '0',
  HOST: '127.0.0.1',
  ROOKERY_ENV: 'test',
  ROOKERY_AUTH__JWT__SECRET: testSecret,
  DATABASE_URL: 'sqlite::memory:',
};

/** A service in a process of its own: the reference service as it is built, unless another program is named. */
export class ChildService {
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #waiting: { readonly until: (line: LogLine) => boolean; readonly resolve: (line: LogLine) => void }[] = [];
  readonly #lines: LogLine[] = [];
  #unfinished = '';
  #stdout = '';
  #stderr = '';

  /** @param environment over the defaults: a free port, SQLite in memory, the secret of tests; `''` takes one away */
  constructor(environment: Readonly<Record<string, string>> = {}, program: Partial<Program> = {}) {
    const { path, args, nodeOptions, cwd = root, shell } = { ...reference, ...program };
    if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build`, or the tests by `npm test`');
    const { PATH = '', HOME = '' } = process.env;
    const command = [process.execPath, ...nodeOptions, path, ...args];
    const [file = '', ...rest] =
      shell === undefined ? command : ['/bin/sh', '-c', `${shell}; exec "$@"`, 'sh', ...command];
    this.#child = spawn(file, rest, {
      cwd,
      env: { PATH, HOME, ...defaults, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', ...(path === main ? [] : (['ipc'] as const))],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // 'close' comes after the last of its output, 'exit' may come before.
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.#child.on('close', (code, signal) => resolve({ code, signal, atMs: performance.now() }));
    this.exit = promise;
  }

  /** Starts it and waits until it listens. */
  static async start(
    environment?: Readonly<Record<string, string>>,
    program: Partial<Program> = {},
  ): Promise<ChildService> {
    const child = new ChildService(environment, program);
    await child.line('listening');
    return child;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    const line = this.#lines.find(({ msg }) => msg === 'listening');
    if (line === undefined) throw new Error('the service does not listen yet');
    return String(line.address);
  }

  get url(): string {
    return `http://${this.address}`;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** What it wrote to standard output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The first log line with that message, now or later. Rejects when the process ends before. */
  async line(message: string): Promise<LogLine> {
    const found = this.#lines.find(({ msg }) => msg === message);
    if (found !== undefined) return found;
    const { promise, resolve } = Promise.withResolvers<LogLine>();
    this.#waiting.push({ until: ({ msg }) => msg === message, resolve });
    const ended = this.exit.then(({ code, signal }) => {
      throw new Error(`ended with ${code ?? signal} before it logged "${message}":\n${this.#stderr}${this.#stdout}`);
    });
    return Promise.race([promise, ended]);
  }

  /** The next message of a program that sends some; `question` is sent to it first. Rejects when the process ends before. */
  async message(question?: string): Promise<unknown> {
    const answer = once(this.#child, 'message');
    if (question !== undefined) this.#child.send(question);
    const ended = this.exit.then(({ code, signal }) => {
      throw new Error(`ended with ${code ?? signal}:\n${this.#stderr}${this.#stdout}`);
    });
    const [message] = (await Promise.race([answer, ended])) as [unknown];
    return message;
  }

  /** Sends a message to a program that takes some. */
  send(message: string): void {
    this.#child.send(message);
  }

  /** Whether the process is there, read or not: `exit` waits for its output as well. */
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Reads its standard output no more. */
  stopReading(): void {
    this.#child.stdout?.pause();
  }

  resumeReading(): void {
    this.#child.stdout?.resume();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it whatever state it is in, for the end of a test. */
  async dispose(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.exit;
  }

  #read(text: string): void {
    this.#stdout += text;
    const parts = (this.#unfinished + text).split('\n');
    this.#unfinished = parts.pop() ?? '';
    for (const part of parts) {
      // The banner of a start in development is for people.
      if (part.startsWith('{')) this.#take(JSON.parse(part) as LogLine);
    }
  }

  #take(line: LogLine): void {
    this.#lines.push(line);
    for (const { until, resolve } of this.#waiting) if (until(line)) resolve(line);
  }
}
