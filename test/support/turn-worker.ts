import { type ByteAccount, noAccount, TurnShare, type Waiting, WorkMeter } from '../../src/framework/wire/index.js';

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** A connection of a peer whose steps take `ms` each. */
export class Worker implements Waiting {
  readonly share: TurnShare;
  readonly #ms: number;
  #steps = 0;
  done = 0;

  constructor(ms: number, peerWork: WorkMeter = new WorkMeter()) {
    this.#ms = ms;
    this.share = new TurnShare(this, { ...noAccount, peerWork });
  }

  /** So many steps have come. */
  bring(steps: number): void {
    this.#steps += steps;
    this.onTurn();
  }

  onTurn(): void {
    while (this.#steps > 0 && this.share.mayGoOn()) {
      this.#steps -= 1;
      this.done += 1;
      work(this.#ms);
    }
  }
}

/** Until it has made that many steps. */
export async function untilDone(worker: Worker, steps: number): Promise<void> {
  while (worker.done < steps) await turn();
}

/** Makes a step of `light` every 3 ms, and returns how late each of them came, in ms, the least first. */
export async function lateness(light: Worker, visits: number): Promise<number[]> {
  const lateMs: number[] = [];
  for (let visit = 0; visit < visits; visit += 1) {
    const { done } = light;
    const dueMs = performance.now() + 3;
    await delay(3);
    light.bring(1);
    await untilDone(light, done + 1);
    lateMs.push(performance.now() - dueMs);
  }
  return lateMs.sort((a, b) => a - b);
}

/** Lets what was heard before be forgotten. */
export const rest = (): Promise<void> => delay(350);

/** Of a peer that has taken all of the time. */
export function ofHeavyPeer(): ByteAccount {
  const peerWork = new WorkMeter();
  peerWork.charge(100, performance.now());
  return { ...noAccount, peerWork };
}
