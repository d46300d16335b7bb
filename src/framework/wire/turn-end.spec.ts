import { expect, it } from 'vitest';
import { afterTurnEnd, atTurnEnd } from './turn-end.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('calls the other tasks where one throws, and reports its exception as uncaught', async () => {
  const told: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => told.push(error.message));
  const ended: string[] = [];

  atTurnEnd({
    onTurnEnd: () => {
      throw new Error('defect');
    },
  });
  atTurnEnd({ onTurnEnd: () => ended.push('sent') });
  afterTurnEnd({ onTurnEnd: () => ended.push('over') });
  await turn();
  await turn();

  for (const listener of others) process.on('uncaughtException', listener);
  expect([ended, told]).toEqual([['sent', 'over'], ['defect']]);
});
