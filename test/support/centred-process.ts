import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { variableOf } from 'rookery/config';
import { type Centred, centreSettings } from './centred-app.js';
import type { CentredValues } from './centred-main.js';
import { ChildService, type LogLine } from './child-service.js';
import { compiledProgram } from './compiled-program.js';
import { eventually } from './eventually.js';
import { http } from './http-caller.js';

/** What a process follows, and where it lives. */
export interface CentredProcessInit extends Pick<Centred, 'nacos' | 'dataIds'> {
  /** Its home and its working directory are below, empty at first; the snapshots too. */
  readonly folder: string;
  readonly set?: Readonly<Record<string, unknown>>;
  /** Nothing ends the process but that all is closed. */
  readonly isAlone?: boolean;
  readonly nodeOptions?: readonly string[];
  /** A command of the shell that the process is started from, such as one that sets a limit. */
  readonly shell?: string;
}

/** The readiness of the configuration, as the probe shows it. */
export interface ConfigDetails {
  readonly status: string;
  readonly version: number;
  readonly stale?: readonly string[];
  readonly nacos: { readonly isReachable: boolean; readonly serving: string; readonly snapshotAt?: string };
}

/** A service in a process of its own that follows data ids of a Nacos; all that it says can be looked at. */
export class CentredProcess {
  readonly service: ChildService;

  private constructor(service: ChildService) {
    this.service = service;
  }

  /** Starts it and does not wait. */
  static async launch(init: CentredProcessInit): Promise<CentredProcess> {
    const { nacos, dataIds, folder, set = {}, isAlone = false, nodeOptions = [], shell } = init;
    const home = join(folder, 'home');
    const cwd = join(folder, 'work');
    await Promise.all([home, cwd].map((path) => mkdir(path, { recursive: true })));
    // What is looked at is to be of now, or almost.
    const settings = {
      'health.refreshMs': 100,
      ...centreSettings({ nacos, dataIds, directory: join(folder, 'snapshot') }),
      ...set,
    };
    const environment = Object.entries(settings).map(([path, value]) => [variableOf(path), String(value)]);
    const program = {
      path: await compiledProgram(['centred-main']),
      args: isAlone ? ['alone'] : [],
      nodeOptions,
      cwd,
      ...(shell !== undefined && { shell }),
    };
    return new CentredProcess(
      new ChildService({ HOME: home, ROOKERY_LOG__ACCESS: 'false', ...Object.fromEntries(environment) }, program),
    );
  }

  /** Starts it and waits until it listens. */
  static async start(init: CentredProcessInit): Promise<CentredProcess> {
    const one = await CentredProcess.launch(init);
    await one.service.line('listening');
    return one;
  }

  /** What a caller reads. */
  async values(): Promise<CentredValues> {
    const { json } = await http(this.service.url, { path: '/values' });
    return (json as { data: CentredValues }).data;
  }

  /** Waits until a caller reads this number. */
  async shows(number: number, timeoutMs?: number): Promise<void> {
    await eventually(`the number ${number}`, async () => (await this.values()).number === number, timeoutMs);
  }

  async readiness(): Promise<{ readonly status: number; readonly config: ConfigDetails }> {
    const { status, json } = await http(this.service.url, { path: '/health/ready' });
    return { status, config: (json as { details: { config: ConfigDetails } }).details.config };
  }

  /** The value of a metric without labels, or with those of the centre. */
  async metric(name: string): Promise<number> {
    const { text } = await http(this.service.url, { path: '/metrics' });
    const line = text.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
    return Number(line?.split(' ').at(-1));
  }

  /** How many lines it has logged so far. */
  get logged(): number {
    return this.service.lines.length;
  }

  /** The first log line after `from` whose message matches, now or later. */
  async says(message: RegExp, from = 0, timeoutMs?: number): Promise<LogLine> {
    const found = (): LogLine | undefined =>
      this.service.lines.slice(from).find(({ msg }) => message.test(String(msg)));
    await eventually(`the log says ${message}`, () => found() !== undefined, timeoutMs).catch((error: unknown) => {
      const said = this.service.lines.slice(from).map(({ msg }) => msg);
      throw new Error(`${String(error)}; it said: ${JSON.stringify(said)}`);
    });
    return found() as LogLine;
  }

  /** Everything it wrote. */
  get output(): string {
    return this.service.stdout + this.service.stderr;
  }

  /** Ends it whatever state it is in. */
  async dispose(): Promise<void> {
    await this.service.dispose();
  }
}
