import { getHeapStatistics } from 'node:v8';
import { expect, it } from 'vitest';
import { IdleMemory, type ReturnedMemory } from './idle-memory.js';

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const timing = { windowMs: 100, idleWindows: 3 };

/** Leaves 100 MB of garbage in the old generation. */
function load(): void {
  let kept: object[] = [];
  for (let index = 0; index < 2_000_000; index += 1) kept.push({ index });
  kept = [];
}

it('gives memory back once the load is over, and not again until there is another', async () => {
  const outcomes: ReturnedMemory[] = [];
  const memory = new IdleMemory((outcome) => outcomes.push(outcome), timing);
  memory.start();
  load();
  await delay(150);
  const grownBytes = getHeapStatistics().total_heap_size;

  await delay(1500);

  memory.close();
  expect(outcomes).toHaveLength(1);
  expect(grownBytes - getHeapStatistics().total_heap_size).toBeGreaterThan(50_000_000);
  expect(outcomes[0]?.rssBytes).toBeLessThan(outcomes[0]?.rssBytesBefore ?? 0);
});

it('leaves a process alone that was not under load, however its heap has grown', async () => {
  const outcomes: ReturnedMemory[] = [];
  const memory = new IdleMemory((outcome) => outcomes.push(outcome), { windowMs: 500, idleWindows: 3 });
  memory.start();
  const before = getHeapStatistics().total_heap_size;
  const kept: object[] = [];
  for (let part = 0; part < 200; part += 1) {
    for (let index = 0; index < 15_000; index += 1) kept.push({ index });
    await delay(20);
  }
  expect(getHeapStatistics().total_heap_size - before).toBeGreaterThan(70_000_000);
  kept.length = 0;

  await delay(3000);

  memory.close();
  expect(outcomes).toEqual([]);
}, 20_000);
