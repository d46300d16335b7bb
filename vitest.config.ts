import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };

/** `rookery/…` at the sources: the same doors as the published package has, from the same list. */
const doors = Object.entries(manifest.exports)
  .filter(([, target]) => target.endsWith('/index.js'))
  .map(([door, target]) => ({
    // Whole names only: `rookery/http` is not the beginning of `rookery/http2`.
    find: new RegExp(`^${door.replace('.', manifest.name)}$`),
    replacement: fileURLToPath(new URL(target.replace('/dist/', '/src/').replace(/[.]js$/, '.ts'), import.meta.url)),
  }));

/** What needs no other process: first, and side by side; two at a time on two cores, where vitest alone would take one. */
const quick = { order: 1, workers: Math.max(2, availableParallelism() - 1), timeoutMs: 5_000 };
/** The service over sockets, with time limits that are part of the behaviour, and what measures: one file after the other. */
const overSockets = { order: 2, workers: 1, timeoutMs: 20_000 };
/** Against real systems, which may have to be installed and started first; most of the time is spent waiting for them. */
const withPeers = { order: 3, workers: 2, timeoutMs: 60_000 };

const project = (name: string, include: string, { order, workers, timeoutMs }: typeof quick) => ({
  extends: true as const,
  test: {
    name,
    include: [include],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs * 2,
    maxWorkers: workers,
    // From 1 on: a group 0 with one worker would run last.
    sequence: { groupOrder: order },
  },
});

export default defineConfig({
  resolve: { alias: doors },
  // Written out, and not left to whichever tsconfig.json is nearest: without it Nest injects nothing.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  test: {
    globalSetup: ['test/support/vitest-node-version.ts'],
    reporters: ['default', './test/support/vitest-progress.ts'],
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      project('unit', 'src/**/*.spec.ts', quick),
      project('scripts', 'scripts/**/*.spec.mjs', quick),
      project('bench', 'bench/**/*.spec.mjs', quick),
      project('architecture', 'test/*.spec.ts', quick),
      project('measured', 'test/measured/**/*.spec.ts', overSockets),
      project('contract', 'test/contract/**/*.spec.ts', withPeers),
      project('e2e', 'test/e2e/**/*.e2e-spec.ts', overSockets),
      project('peers', 'test/peers/**/*.spec.ts', withPeers),
    ],
  },
});
