import { getMetadataStorage, ValidationTypes } from 'class-validator';
import type { FieldViolation } from '../../core/index.js';
import { isEnough, pathOf, violation } from '../field-violation.js';
import type { Acceptance } from './acceptance.js';
import { type DtoPlan, NotCompilable, planOf, type PropertyPlan } from './dto-plan.js';
import { notHere, type Rule, type ValidationRule } from './rule.js';
import { ruleMessage } from './rule-message.js';

interface Findings {
  readonly violations: FieldViolation[];
  readonly hasUnknown: boolean;
}

/**
 * Says which rules an instance breaks, in class-validator's order: unknown properties, then property by property the
 * first broken rule, with the nested ones at their place. An instance that breaks none gives an empty list; the search
 * ends when there is more than is reported.
 */
export class Explanation {
  readonly #plans: Map<DtoPlan['dto'], DtoPlan>;
  readonly #refusesBinary: boolean;

  readonly #acceptance: Acceptance | undefined;

  /**
   * @param acceptance saves the work for properties that are right
   * @param refusesBinary leave binary values in the place of nested objects to the library (Nest's pipe has a rule for them)
   */
  constructor(plans: Map<DtoPlan['dto'], DtoPlan>, acceptance: Acceptance | undefined, refusesBinary: boolean) {
    this.#plans = plans;
    this.#acceptance = acceptance;
    this.#refusesBinary = refusesBinary;
  }

  /**
   * @param hasUnknown whether there are, or may be, unknown properties
   * @throws notHere the instance holds what only class-validator can check
   */
  of(plan: DtoPlan, instance: object, hasUnknown: boolean): FieldViolation[] {
    const violations: FieldViolation[] = [];
    this.#object(plan, instance, '', { violations, hasUnknown });
    return violations;
  }

  #object(plan: DtoPlan, object: object, path: string, findings: Findings): void {
    for (const key of Object.keys(object)) {
      if (plan.known.has(key)) continue;
      const message = `property ${key} should not exist`;
      findings.violations.push(violation(pathOf(path, key), key, ValidationTypes.WHITELIST, message));
      if (isEnough(findings.violations)) return;
    }
    const checks = this.#acceptance?.of(plan).properties;
    for (const [index, property] of plan.properties.entries()) {
      // An unknown property deeper down is nothing to the acceptance.
      const isTold = property.nested.length === 0 || !findings.hasUnknown;
      if (isTold && checks?.[index]?.(object) === true) continue;
      this.#property(property, object, path, findings);
      if (isEnough(findings.violations)) return;
    }
  }

  #property(property: PropertyPlan, object: object, parent: string, findings: Findings): void {
    const value = (object as Record<string, unknown>)[property.name];
    const isSeen = this.#refusesBinary && property.nested.length > 0;
    if (isSeen && (Array.isArray(value) ? value.some(isBinary) : isBinary(value))) throw notHere;
    let counts: unknown = true;
    for (const condition of property.conditions) counts = condition(object, value) && counts;
    if (!counts) return;
    const path = pathOf(parent, property.name);
    for (const rule of property.rules) {
      const broken = brokenConstraint(rule, object, value);
      if (broken === undefined) continue;
      const instance = broken.instance();
      const told = { targetName: object.constructor.name, object, value };
      const message = ruleMessage(rule.metadata, told, instance.defaultMessage?.bind(instance));
      findings.violations.push(violation(path, property.name, broken.name, message));
      return;
    }
    this.#nested(property.nested, value, property.name, path, findings);
  }

  #nested(rules: readonly ValidationRule[], value: unknown, property: string, path: string, findings: Findings): void {
    if (value === undefined) return;
    for (const rule of rules) {
      if (Array.isArray(value)) {
        for (let index = 0; index < value.length && !isEnough(findings.violations); index += 1) {
          // A hole is no element; `undefined` has nothing in it, either.
          const element: unknown = value[index];
          if (element === undefined || (!findings.hasUnknown && this.#isRight(element))) continue;
          this.#nested(rules, element, String(index), pathOf(path, String(index)), findings);
        }
      } else if (value instanceof Object) {
        this.#nestedObject(value, path, findings);
      } else {
        const told = { targetName: rule.target.constructor.name, object: rule.target, value };
        findings.violations.push(violation(path, property, rule.type, ruleMessage(rule, told, undefined)));
        return;
      }
    }
  }

  /** False where it is not known without an explanation. */
  #isRight(element: unknown): boolean {
    if (this.#acceptance === undefined || typeof element !== 'object' || element === null) return false;
    const plan = this.#plans.get(element.constructor as DtoPlan['dto']);
    return plan !== undefined && plan.known.size > 0 && this.#acceptance.of(plan).accepts(element);
  }

  #nestedObject(value: object, path: string, findings: Findings): void {
    if (value instanceof Set || value instanceof Map || (this.#refusesBinary && isBinary(value))) throw notHere;
    const plan = this.#planOf(value.constructor as DtoPlan['dto']);
    if (plan !== undefined) {
      this.#object(plan, value, path, findings);
      return;
    }
    const message = 'an unknown value was passed to the validate function';
    // class-validator gives this error no property.
    const property = undefined as unknown as string;
    findings.violations.push(violation(pathOf(path, property), property, 'unknownValue', message));
  }

  /** Undefined for a class without rules, such as Object. A default value may be of any class. */
  #planOf(dto: DtoPlan['dto']): DtoPlan | undefined {
    const known = this.#plans.get(dto);
    if (known !== undefined) return known.known.size === 0 ? undefined : known;
    if (typeof dto !== 'function') throw notHere;
    if (getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false).length === 0) return undefined;
    try {
      // Not into the map at hand: of a plan that fails, half would stay there.
      const plan = planOf(dto);
      this.#plans.set(dto, plan);
      return plan;
    } catch (error) {
      throw error instanceof NotCompilable ? notHere : error;
    }
  }
}

function isBinary(value: unknown): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function brokenConstraint(rule: Rule, object: object, value: unknown): Rule['constraints'][number] | undefined {
  const { each, validateIf } = rule.metadata;
  if (validateIf !== undefined && !validateIf(object, value)) return undefined;
  if (each && (value instanceof Set || value instanceof Map)) throw notHere;
  return rule.constraints.find((constraint) =>
    each && Array.isArray(value)
      ? value.map((element: unknown) => constraint.accepts(object, value, element)).includes(false)
      : !constraint.accepts(object, value, value),
  );
}
