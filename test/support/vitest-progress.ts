import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

/** Well under the 15 s that a reader of a log should wait for a sign of life. */
const HEARTBEAT_MS = 10_000;

/**
 * Says what goes on while a slow file runs, where vitest itself is silent until the file ends,
 * and hands the totals to the run that asked for them by `RESULTS_FILE`.
 */
export default class ProgressReporter implements Reporter {
  readonly #running = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  onTestRunStart(): void {
    // On a terminal vitest's own reporter shows what runs.
    if (process.stdout.isTTY && process.env['CI'] === undefined) return;
    this.#timer = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#timer.unref();
  }

  onTestModuleQueued(module: TestModule): void {
    this.#running.set(module.moduleId, Date.now());
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module.moduleId);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    clearInterval(this.#timer);
    const counts = modules.map(countOf);
    const passed = counts.reduce((sum, count) => sum + count.passed, 0);
    const failed = counts.reduce((sum, count) => sum + count.failed, unhandledErrors.length);
    const file = process.env['RESULTS_FILE'];
    if (file) appendFileSync(file, `${JSON.stringify({ suite: 'test', passed, failed })}\n`);
  }

  #beat(): void {
    const now = Date.now();
    const files = [...this.#running].map(
      ([file, since]) => `${relative(process.cwd(), file)} (${Math.round((now - since) / 1000)} s)`,
    );
    if (files.length > 0) process.stderr.write(`rookery: still testing ${files.join(', ')}\n`);
  }
}

/** A file that could not be loaded, or whose hooks failed, counts as one failure more than its tests tell. */
function countOf(module: TestModule): { passed: number; failed: number } {
  const states = [...module.children.allTests()].map((test) => test.result().state);
  const failed = states.filter((state) => state === 'failed').length;
  const brokenOutsideTests = failed === 0 && module.state() === 'failed';
  return { passed: states.filter((state) => state === 'passed').length, failed: failed + Number(brokenOutsideTests) };
}
