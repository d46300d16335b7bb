import { Controller, Get, Module } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { defineFeature, Feature, Features } from 'rookery/features';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EditedApp } from '../support/edited-app.js';
import { methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { TrialService } from '../support/trial-proto.js';
import { TrialInput } from '../support/trial.dto.js';

const trialPart = defineFeature('trialPart');

@Controller('flagged')
@GrpcService(TrialService)
@Public()
class FlaggedController {
  readonly #features: Features;

  constructor(features: Features) {
    this.#features = features;
  }

  @Get('hidden')
  @Rpc()
  @Feature('trialHidden')
  fail(@Input() { mode }: TrialInput): { text: string } {
    return { text: mode };
  }

  @Get('asked')
  @Rpc()
  inspect(@Input() { mode }: TrialInput): { text: string } {
    return { text: `${mode}${this.#features.isOn(trialPart) ? 'on' : 'off'}` };
  }
}

@Module({ controllers: [FlaggedController] })
class FlaggedModule {}

let app: EditedApp;

beforeAll(async () => {
  app = await EditedApp.start({}, { application: FlaggedModule });
});

afterAll(() => app.close());

/** What both faces say to a handler that is there only while its feature is on. */
async function hidden(): Promise<unknown[]> {
  const [rest, rpc] = await Promise.all([
    http(app.url, { path: '/flagged/hidden' }),
    app.caller.call(methodOf(TrialService, 'Fail'), [{}]),
  ]);
  return [rest.status, (rest.json as { reason?: string }).reason, rpc.failure?.status, rpc.failure?.reason];
}

/** What both faces tell one caller of a feature that a handler asks for. */
async function asked(sub: string, tenant?: string): Promise<string[]> {
  const token = app.test.token({ sub, tenant });
  const [rest, rpc] = await Promise.all([
    http(app.url, { path: '/flagged/asked', token }),
    app.caller.call(methodOf(TrialService, 'Inspect'), [{}], { token }),
  ]);
  return [(rest.json as { data: { text: string } }).data.text, (rpc.messages[0] as { text: string }).text];
}

const off = [404, 'FEATURE_OFF', 'UNIMPLEMENTED', 'FEATURE_OFF'];
const on = [200, undefined, undefined, undefined];

describe('features while the service runs', () => {
  it('come and go by an edit, on both faces', async () => {
    expect(await hidden()).toEqual(off);
    await app.edit({ 'features.trialHidden': true });
    expect(await hidden()).toEqual(on);
    await app.edit({ 'features.trialHidden': false });
    expect(await hidden()).toEqual(off);
    await app.edit({ 'features.trialHidden': undefined });
    expect(await hidden()).toEqual(off);
  });

  it('are on for the same part of the callers on both faces, and for more when the part grows', async () => {
    const callers = Array.from({ length: 30 }, (_, index) => `caller ${index}`);
    const parts = [];
    for (const percent of ['0%', '20%', '60%', '100%']) {
      await app.edit({ 'features.trialPart': percent });
      const answers = await Promise.all(callers.map((caller) => asked(caller)));
      expect(answers.every(([rest, rpc]) => rest === rpc)).toBe(true);
      parts.push(callers.filter((_, index) => answers[index]?.[0] === 'on'));
    }
    const [none, few, more, all] = parts as [string[], string[], string[], string[]];

    expect([none.length, all.length]).toEqual([0, 30]);
    expect([few.length > 0, more.length > few.length, more.length < 30]).toEqual([true, true, true]);
    expect(more).toEqual(expect.arrayContaining(few));
  });

  it('are on for whole tenants where the rule says so', async () => {
    await app.edit({ 'features.trialPart': { percent: 50, by: 'tenant' } });

    const answers = await Promise.all(
      ['acme', 'duck', 'fish', 'goat', 'hare', 'ibis'].map(async (tenant) => [
        ...(await asked('ann', tenant)),
        ...(await asked('ben', tenant)),
      ]),
    );

    expect(answers.every((answer) => new Set(answer).size === 1)).toBe(true);
    expect(new Set(answers.flat())).toEqual(new Set(['on', 'off']));
  });

  it.each([
    [{ 'features.trialPart': '120%' }, 'features.trialPart: a text (expected: true, false, a text such as 25%'],
    [{ 'features.trialPart': { percent: 10, by: 'name' } }, 'features.trialPart'],
    [{ 'features.trialPrat': true }, 'did you mean "trialPart"?'],
  ])('do not take %j, and stay as they were', async (changes, message) => {
    await app.edit({ 'features.trialPart': true });

    const outcome = await app.tryEdit(changes);

    expect(outcome).toMatchObject({ message: expect.stringContaining(message) as unknown });
    expect(await asked('ann')).toEqual(['on', 'on']);
    await app.edit({ 'features.trialPart': true, 'features.trialPrat': undefined });
  });
});
