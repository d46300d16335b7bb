import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import {
  LiveValue,
  noDeadline,
  prepareGuard,
  type Principal,
  RequestContext,
  runInContext,
  Status,
} from '../core/index.js';
import { Feature } from './feature.decorator.js';
import { FeatureGuard } from './feature.guard.js';
import { isCallerIn, prepareRule } from './feature-rule.js';
import { FeatureOffError } from './features.errors.js';
import { defineFeature, FeatureOptions } from './features.options.js';
import { Features } from './features.service.js';

const search = defineFeature('unitSearch');
const beta = defineFeature('unitBeta', { percent: 50, by: 'tenant' });

function optionsWith(values: object): FeatureOptions {
  return plainToInstance(FeatureOptions, values, { exposeDefaultValues: true });
}

interface Caller {
  readonly subject?: string;
  readonly tenant?: string;
  readonly peer?: string;
}

function asCaller<T>({ subject, tenant, peer = '127.0.0.1' }: Caller, action: () => T): T {
  const header = (): undefined => undefined;
  const context = new RequestContext({ face: 'http', operation: 'op', peer, header, deadline: noDeadline });
  if (subject !== undefined) {
    context.principal = { subject, scopes: new Set(), roles: new Set(), tenant, claims: {} } satisfies Principal;
  }
  return runInContext(context, action);
}

const many = Array.from({ length: 2000 }, (_, index) => `caller ${index}`);

describe('prepareRule', () => {
  it.each([
    [true, { percent: 100, by: 'principal' }],
    [false, { percent: 0, by: 'principal' }],
    ['on', { percent: 100, by: 'principal' }],
    ['FALSE', { percent: 0, by: 'principal' }],
    ['25%', { percent: 25, by: 'principal' }],
    ['0.5%', { percent: 0.5, by: 'principal' }],
    [{ percent: 10 }, { percent: 10, by: 'principal' }],
    [
      { percent: 10, by: 'tenant' },
      { percent: 10, by: 'tenant' },
    ],
    ['{"percent": 10, "by": "peer"}', { percent: 10, by: 'peer' }],
  ])('reads %j', (value, rule) => {
    expect(prepareRule(value)).toEqual(rule);
  });

  it.each([['101%'], ['-1%'], ['25'], [25], ['maybe'], [''], [{ percent: 101 }], [{ percent: '10' }], [{}]])(
    'refuses %j',
    (value) => {
      expect(prepareRule(value)).toBeUndefined();
    },
  );

  it.each([[{ percent: 10, by: 'name' }], [{ percent: 10, extra: 1 }], [null], [[]], ['{"percent":']])(
    'refuses %j',
    (value) => {
      expect(prepareRule(value)).toBeUndefined();
    },
  );
});

describe('isCallerIn', () => {
  const inFor = (feature: string, percent: number): string[] =>
    many.filter((caller) => isCallerIn(feature, { percent, by: 'principal' }, caller));

  it('takes about the part that is asked for', () => {
    for (const percent of [1, 25, 60]) {
      const part = (inFor('unitSearch', percent).length / many.length) * 100;
      expect(Math.abs(part - percent)).toBeLessThan(3);
    }
  });

  it('keeps who is in when the part grows, and says the same each time', () => {
    const [few, more] = [inFor('unitSearch', 10), inFor('unitSearch', 30)];

    expect(more).toEqual(expect.arrayContaining(few));
    expect(inFor('unitSearch', 10)).toEqual(few);
    // A change of the hash would give the feature to others overnight.
    expect(few.slice(0, 3)).toEqual(['caller 17', 'caller 20', 'caller 32']);
  });

  it('draws the part of each feature anew', () => {
    const [one, other] = [inFor('unitSearch', 50), inFor('unitBeta', 50)];

    const shared = one.filter((caller) => other.includes(caller)).length;

    expect(Math.abs(shared / many.length - 0.25)).toBeLessThan(0.03);
  });
});

describe('Features', () => {
  it('follows the options, by definition or by name', () => {
    const options = new LiveValue(optionsWith({}));
    const features = new Features(options);
    expect(features.isOn(search)).toBe(false);

    options.publish(optionsWith({ unitSearch: true }));
    expect([features.isOn(search), features.isOn('unitSearch')]).toEqual([true, true]);
    options.publish(optionsWith({ unitSearch: false }));
    expect(features.isOn(search)).toBe(false);
  });

  it('tells callers apart by what the rule says, and those without a token by their address', () => {
    const features = new Features(new LiveValue(optionsWith({ unitSearch: '50%' })));
    const outcomes = (feature: typeof search, callers: readonly Caller[]): boolean[] =>
      callers.map((caller) => asCaller(caller, () => features.isOn(feature)));
    const numbers = many.slice(0, 40);

    const byPrincipal = outcomes(
      search,
      numbers.map((subject) => ({ subject, tenant: 'acme' })),
    );
    const byTenant = outcomes(
      beta,
      numbers.map((subject) => ({ subject, tenant: 'acme' })),
    );
    const byPeer = outcomes(
      search,
      numbers.map((peer) => ({ peer })),
    );

    expect(new Set(byPrincipal).size).toBe(2);
    expect(new Set(byTenant).size).toBe(1);
    expect(new Set(byPeer).size).toBe(2);
  });

  it('is off for a part of the callers where nobody calls, unless a caller is named', () => {
    const features = new Features(new LiveValue(optionsWith({ unitSearch: '50%' })));

    expect(features.isOn(search)).toBe(false);
    expect(new Set(many.slice(0, 40).map((caller) => features.isOn(search, caller))).size).toBe(2);
  });

  it('does not take a slip for a feature that is off', () => {
    const features = new Features(new LiveValue(optionsWith({})));

    expect(() => features.isOn('unitSaerch')).toThrow(
      "feature unitSaerch: not defined (expected: defineFeature('unitSaerch'))",
    );
  });
});

describe('defineFeature', () => {
  it.each([['UpperCase'], ['with-hyphen'], [''], ['a.b'], ['constructor'], ['__proto__']])(
    'refuses the name %j',
    (name) => {
      expect(() => defineFeature(name)).toThrow('expected: lower camel case');
    },
  );

  it('refuses a rule that is none, and a second rule for the same name', () => {
    expect(() => defineFeature('unitRule', '200%')).toThrow('feature unitRule: "200%" (expected: true, false');
    expect(defineFeature('unitTwice', true)).toMatchObject({ name: 'unitTwice', rule: true });
    expect(defineFeature('unitTwice', true)).toMatchObject({ name: 'unitTwice', rule: true });
    expect(() => defineFeature('unitTwice')).toThrow('defined twice, with different rules');
  });

  it('has its rules checked as those of every option', () => {
    const wrong = validateSync(optionsWith({ unitSearch: 'perhaps', unitBeta: '10%' }));

    expect(wrong.map(({ property }) => property)).toEqual(['unitSearch']);
    expect(new FeatureOptions()).toMatchObject({ unitSearch: false, unitBeta: { percent: 50, by: 'tenant' } });
  });
});

describe('FeatureGuard', () => {
  @Feature('unitImplied')
  class Controller {
    @Feature(search)
    both(): void {}

    one(): void {}
  }

  class Plain {
    open(): void {}
  }

  const guardWith = (values: object): FeatureGuard =>
    new FeatureGuard(new Features(new LiveValue(optionsWith(values))));
  const admits = (guard: FeatureGuard, handler: () => void): unknown => {
    try {
      return guard.canActivate({ getClass: () => Controller, getHandler: () => handler } as never);
    } catch (error) {
      return error;
    }
  };

  it('asks for the features of controller and handler', () => {
    const { both, one } = Controller.prototype;
    const admitted = [
      guardWith({}),
      guardWith({ unitImplied: true }),
      guardWith({ unitImplied: true, unitSearch: true }),
    ].map((guard) => [admits(guard, one) === true, admits(guard, both) === true]);

    expect(admitted).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ]);
  });

  it('says that it is not there', () => {
    const error = admits(guardWith({ unitImplied: true }), Controller.prototype.both);

    expect(error).toBeInstanceOf(FeatureOffError);
    expect(error).toMatchObject({ reason: 'FEATURE_OFF', status: Status.Unimplemented, httpStatus: 404 });
    expect((error as Error).message).toBe('unitSearch is off');
  });

  it('has nothing to do with handlers that name no feature', () => {
    const guard = guardWith({});

    const check = guard[prepareGuard]({ face: 'http', controller: Plain, handler: Plain.prototype.open });

    expect(check).toBeUndefined();
  });
});
