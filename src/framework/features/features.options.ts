import { ValidateBy } from 'class-validator';
import { ConfigPrefix } from '../core/index.js';
import { type FeatureRule, prepareRule } from './feature-rule.js';

/** A feature that the code knows. */
export interface FeatureDefinition {
  /** Its key below `features`: lower camel case. */
  readonly name: string;
  /** Where the configuration says nothing. */
  readonly rule: FeatureRule;
}

interface Entry extends FeatureDefinition {
  /** By its name alone, so that a definition may still come. */
  readonly isImplied: boolean;
}

const namePattern = /^[a-z][A-Za-z0-9]{0,63}$/;
const entries = new Map<string, Entry>();

/**
 * The switches; the section `features` of the configuration. Each feature that the code defines has a key of its name:
 * `true`, `false`, `"25%"` of the callers, or `{ percent: 25, by: tenant }` with `principal`, `tenant` or `peer` for who
 * counts as one caller. Features that no code defines are unknown keys.
 */
@ConfigPrefix('features')
export class FeatureOptions {
  constructor() {
    for (const { name, rule } of entries.values()) Reflect.set(this, name, rule);
  }
}

/** Token of the present `FeatureOptions`, as `Live<FeatureOptions>`. */
export const FEATURE_OPTIONS: unique symbol = Symbol('FEATURE_OPTIONS');

/**
 * Makes a feature known, so that `features.<name>` of the configuration may say for whom it is on. Where the module is
 * loaded, before the service is created.
 *
 * @param rule for whom it is on where the configuration says nothing; nobody when left out
 * @throws Error the name is no key, the rule no rule, or the name has another rule already
 * @example
 * export const newSearch = defineFeature('newSearch', '10%');
 */
export function defineFeature(name: string, rule: FeatureRule = false): FeatureDefinition {
  if (prepareRule(rule) === undefined) {
    throw new Error(`feature ${name}: ${JSON.stringify(rule)} (expected: ${expectation})`);
  }
  const known = entries.get(name);
  if (known !== undefined && !known.isImplied) {
    if (JSON.stringify(known.rule) === JSON.stringify(rule)) return known;
    throw new Error(`feature ${name}: defined twice, with different rules (expected: once)`);
  }
  return add({ name, rule, isImplied: false });
}

/** The feature of that name; one that nobody has defined yet is off by default. */
export function impliedFeature(name: string): FeatureDefinition {
  return entries.get(name) ?? add({ name, rule: false, isImplied: true });
}

/** Whether some code has made the name known. */
export function isKnownFeature(name: string): boolean {
  return entries.has(name);
}

const expectation = 'true, false, a text such as 25%, or percent 0 to 100 with by principal, tenant or peer';

function add(entry: Entry): FeatureDefinition {
  const { name } = entry;
  if (!namePattern.test(name) || name === 'constructor') {
    throw new Error(`feature ${JSON.stringify(name)} (expected: lower camel case, 64 characters at most)`);
  }
  if (!entries.has(name)) {
    ValidateBy({
      name: 'isFeatureRule',
      validator: {
        validate: (value) => prepareRule(value) !== undefined,
        defaultMessage: () => `$property must be ${expectation}`,
      },
    })(FeatureOptions.prototype, name);
  }
  entries.set(name, entry);
  return entry;
}
