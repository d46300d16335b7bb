import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EditedApp, type Settings } from '../support/edited-app.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { TrialService } from '../support/trial-proto.js';

const inspect = methodOf(TrialService, 'Inspect');

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start();
});

afterAll(() => app.close());

const quota = (settings: Settings): Promise<unknown> =>
  app.edit(Object.fromEntries(Object.entries(settings).map(([name, value]) => [`quota.${name}`, value])));

/** How many of `times` requests by each face get through, as a caller of its own. */
async function admitted(subject: string, times: number): Promise<number> {
  const token = app.test.token({ sub: subject });
  const answers = await Promise.all(
    Array.from({ length: times }, async () => [
      (await http(app.url, { path: '/trial/context', token })).status === 200,
      (await app.caller.call(inspect, [{}], { token })).failure === undefined,
    ]),
  );
  return answers.flat().filter(Boolean).length;
}

describe('quota while the service runs', () => {
  it('is switched on, changed and switched off by an edit, for both faces together', async () => {
    expect(await admitted('ann', 20)).toBe(40);
    // A burst has ten seconds, which no run of these few requests reaches; a rate might see a second change.
    await quota({ ratePerSecond: 1, burst: 9 });
    expect(await admitted('ben', 20)).toBeLessThanOrEqual(13);
    await quota({ ratePerSecond: 1000, burst: 0 });
    expect(await admitted('ben', 20)).toBe(40);
    await quota({ ratePerSecond: 0 });
    expect(await admitted('ben', 20)).toBe(40);
  });

  it('counts on when limits change: who has used up a burst has no other', async () => {
    await quota({ ratePerSecond: 1, burst: 5 });
    expect(await admitted('cid', 10)).toBeGreaterThanOrEqual(6);
    await quota({ ratePerSecond: 2, burst: 5 });

    expect(await admitted('cid', 10)).toBeLessThanOrEqual(6);
  });

  it('counts by what is named now', async () => {
    await quota({ ratePerSecond: 1, burst: 9, by: 'peer', maxKeys: undefined });
    expect((await admitted('dan', 3)) + (await admitted('eve', 3)) + (await admitted('flo', 3))).toBeLessThan(18);
    await quota({ by: 'principal' });
    expect((await admitted('gus', 3)) + (await admitted('hal', 3)) + (await admitted('ida', 3))).toBe(18);
  });

  it('tells apart as many callers as are allowed now', async () => {
    await quota({ ratePerSecond: 1, burst: 9, maxKeys: 1 });
    expect((await admitted('jon', 3)) + (await admitted('kim', 3)) + (await admitted('leo', 3))).toBeLessThan(18);
    await quota({ ratePerSecond: 0, maxKeys: undefined });
  });
});
