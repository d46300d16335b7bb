import { describe, expect, it, vi } from 'vitest';
import { Lifecycle } from '../core/index.js';
import { runShutdown, type ShutdownSteps } from './shutdown.js';

function stepsWith(over: Partial<ShutdownSteps>): { steps: ShutdownSteps; trail: string[] } {
  const trail: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.onChange((phase) => trail.push(phase));
  const steps: ShutdownSteps = {
    lifecycle,
    announce: () => trail.push('announce'),
    drainDelayMs: 0,
    drain: async (graceMs) => {
      trail.push(`drain ${graceMs}`);
      return true;
    },
    graceMs: 500,
    closeApplication: async () => {
      trail.push('close');
    },
    log: () => {},
    ...over,
  };
  return { steps, trail };
}

describe('runShutdown', () => {
  it('goes red, announces, drains, closes, in this order, and ends with 0', async () => {
    const { steps, trail } = stepsWith({});

    const code = await runShutdown(steps);

    expect(trail).toEqual(['draining', 'announce', 'drain 500', 'close', 'stopped']);
    expect(code).toBe(0);
  });

  it('ends with 2 when the drain ran out of time, and closes all the same', async () => {
    const { steps, trail } = stepsWith({ drain: async () => false });

    const code = await runShutdown(steps);

    expect(code).toBe(2);
    expect(trail).toContain('close');
  });

  it('ends with 2 when closing fails, and says so', async () => {
    const messages: string[] = [];
    const { steps } = stepsWith({
      closeApplication: async () => {
        throw new Error('pool');
      },
      log: (message) => messages.push(message),
    });

    expect(await runShutdown(steps)).toBe(2);
    expect(messages).toEqual(['draining', 'closing failed', 'stopped before everything had ended']);
  });

  it('does all of it when a listener, the announcement or the drain fails, and reports each', async () => {
    const messages: string[] = [];
    const { steps, trail } = stepsWith({
      announce: () => {
        throw new Error('announcement');
      },
      drain: async () => {
        throw new Error('drain');
      },
      log: (message) => messages.push(message),
    });
    steps.lifecycle.onChange(() => {
      throw new Error('listener');
    });

    expect(await runShutdown(steps)).toBe(2);
    expect(messages).toEqual([
      'stopping failed',
      'draining',
      'stopping failed',
      'closing failed',
      'stopping failed',
      'stopped before everything had ended',
    ]);
    expect(trail).toContain('close');
  });

  it('goes on when the drain never ends, a while after its grace', async () => {
    vi.useFakeTimers();
    const { steps, trail } = stepsWith({ drain: () => new Promise(() => {}) });
    const ended = runShutdown(steps);
    await vi.advanceTimersByTimeAsync(steps.graceMs + 3000);

    expect(await ended).toBe(2);
    expect(trail).toContain('close');
    vi.useRealTimers();
  });
});
