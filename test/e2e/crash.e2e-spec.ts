import { describe, expect, it } from 'vitest';
import { http } from '../support/http-caller.js';
import { TrialProcess } from '../support/trial-process.js';

describe('a process with a defect outside any request', () => {
  it.each(['exception', 'rejection'] as const)('ends with 1 by an %s, and says which and where', async (how) => {
    const trial = await TrialProcess.start({ ROOKERY_LOG__LEVEL: 'silent' });
    const before = await http(`http://127.0.0.1:${trial.port}`, { path: '/trial/context' });
    const { code, stderr } = await trial.crash(how);

    expect(before.status).toBe(200);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^crashed: a defect\nError: a defect\n {4}at .*trial-main\.js/);
  });
});
