import { getHeapStatistics } from 'node:v8';
import { expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { IdleMemory, type ReturnedMemory } from './idle-memory.js';

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const timing = { windowMs: 100, idleWindows: 3 };

/** Leaves 100 MB of garbage in the old generation. */
function work(): void {
  let kept: object[] = [];
  for (let index = 0; index < 2_000_000; index += 1) kept.push({ index });
  kept = [];
}

it('gives memory back once the load is over, and not again until there is another', async () => {
  const outcomes: ReturnedMemory[] = [];
  const memory = new IdleMemory((outcome) => outcomes.push(outcome), timing);
  memory.start();
  work();
  await delay(150);
  const grownBytes = getHeapStatistics().total_heap_size;

  await eventually('it is given back', async () => {
    await delay(500);
    return outcomes.length > 0;
  });
  const leftBytes = getHeapStatistics().total_heap_size;
  await delay(1000);

  memory.close();
  expect(outcomes).toHaveLength(1);
  expect(grownBytes - leftBytes).toBeGreaterThan(50_000_000);
  expect(outcomes[0]?.rssBytes).toBeLessThan(outcomes[0]?.rssBytesBefore ?? 0);
});

it.each([
  ['was not under load', 0.4, 0.01],
  ['is not idle', 0.9, 0.06],
])('leaves a process alone that %s, however its heap has grown', async (_what, before, after) => {
  const outcomes: ReturnedMemory[] = [];
  let load = before;
  const memory = new IdleMemory((outcome) => outcomes.push(outcome), { ...timing, load: () => load });
  memory.start();
  work();
  await delay(250);

  load = after;
  await delay(700);

  memory.close();
  expect(outcomes).toEqual([]);
});
