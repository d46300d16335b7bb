import type { Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { createService } from 'rookery';
import { Lifecycle } from 'rookery/core';
import { TrialModule } from './trial.module.js';
import { TrialState } from './trial-state.js';

/** Ways in which a process comes to its end by a defect. */
export type Crash = 'exception' | 'rejection';

// The program behind `startTrialProcess()`: compiled, and run by plain Node. Its argument is the users' module as built.

/** The first message of the program. */
export interface TrialReady {
  readonly port: number;
}

/** What it answers to any message. */
export interface TrialReport {
  /** Bytes in use once everything that can go has gone; 0 while requests are in flight. */
  readonly usedBytes: number;
  readonly inFlight: number;
}

const turns = 3;
const turnMs = 20;

const { UsersModule } = (await import(process.argv[2] ?? '')) as { UsersModule: Type };

@Module({ imports: [UsersModule, TrialModule] })
class TrialProcessModule {}

const service = await createService(TrialProcessModule);
await service.listen();
process.on('message', (message) => {
  if (message === 'exception') throw new Error('a defect');
  if (message === 'rejection') void Promise.reject(new Error('a defect'));
  else void report();
});
process.send?.({ port: Number(new URL(service.url).port) } satisfies TrialReady);

async function report(): Promise<void> {
  const { inFlight } = service.app.get(Lifecycle);
  // Looking is dear, and of no use before all is over.
  process.send?.({ inFlight, usedBytes: inFlight === 0 ? await usedBytes() : 0 } satisfies TrialReport);
}

async function usedBytes(): Promise<number> {
  service.app.get(TrialState, { strict: false }).reset();
  let least = Number.POSITIVE_INFINITY;
  // What has been closed is let go of in the turns after, by finalizers among others.
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, turnMs));
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}
