import { Inject, Injectable } from '@nestjs/common';
import { callerKey, currentContext, type Live, project } from '../core/index.js';
import { isCallerIn, type PreparedRule, prepareRule } from './feature-rule.js';
import { FEATURE_OPTIONS, type FeatureDefinition, type FeatureOptions, isKnownFeature } from './features.options.js';

/**
 * Whether features are on, now and for whom; the answer follows the configuration while the process runs.
 *
 * @example
 * if (this.features.isOn(newSearch)) return this.searchAnew(input);
 */
@Injectable()
export class Features {
  readonly #rules: Live<ReadonlyMap<string, PreparedRule>>;

  constructor(@Inject(FEATURE_OPTIONS) options: Live<FeatureOptions>) {
    this.#rules = project(options, rulesOf);
  }

  /**
   * Whether a feature is on for the caller of the request at hand.
   *
   * @param feature what `defineFeature()` gave, or its name
   * @param caller any other text that stays the same for one caller, such as the id of an order. Where it is left out and
   *   there is no request, a feature that is on for a part of the callers is off
   * @throws Error no code has defined a feature of that name: a slip is not to pass for a feature that is off
   */
  isOn(feature: FeatureDefinition | string, caller?: string): boolean {
    const name = typeof feature === 'string' ? feature : feature.name;
    const rule = this.#rules.value.get(name);
    if (rule === undefined) {
      if (isKnownFeature(name)) throw new Error(`feature ${name}: defined after the start (expected: before)`);
      throw new Error(`feature ${name}: not defined (expected: defineFeature('${name}'))`);
    }
    if (rule.percent >= 100) return true;
    if (rule.percent <= 0) return false;
    if (caller !== undefined) return isCallerIn(name, rule, caller);
    const context = currentContext();
    return context !== undefined && isCallerIn(name, rule, callerKey(context, rule.by));
  }
}

function rulesOf(options: FeatureOptions): ReadonlyMap<string, PreparedRule> {
  const rules = new Map<string, PreparedRule>();
  for (const [name, value] of Object.entries(options)) {
    const rule = prepareRule(value);
    if (rule !== undefined) rules.set(name, rule);
  }
  return rules;
}
