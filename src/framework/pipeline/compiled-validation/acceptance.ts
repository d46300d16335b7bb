import type { DtoPlan, PropertyPlan } from './dto-plan.js';
import { inlineOf, type Refer } from './inline-rules.js';
import { notHere, type Rule } from './rule.js';

/** May say no to what is right, never yes to what is not. Unknown properties are not its business. */
export type Accepts = (object: object) => boolean;

/** The checks of one class. */
export interface Check {
  /** Whether an instance breaks no rule. */
  readonly accepts: Accepts;
  /** The same for the rules of one property of it, in the order of the plan's properties. */
  readonly properties: readonly Accepts[];
}

/**
 * Puts the checks of each class together as functions, nested classes by functions of their own. Why a value is
 * refused they do not say: that is for the slower `Explanation`.
 */
export class Acceptance {
  readonly #checks = new Map<DtoPlan, { -readonly [key in keyof Check]: Check[key] }>();

  /** The check to ask for its functions when they are called, not before: classes may contain themselves. */
  of(plan: DtoPlan): Check {
    let check = this.#checks.get(plan);
    if (check === undefined) {
      check = { accepts: () => false, properties: [] };
      this.#checks.set(plan, check);
      Object.assign(check, this.#generate(plan));
    }
    return check;
  }

  #generate(plan: DtoPlan): Check {
    const references: unknown[] = [];
    const functions: string[] = [];
    const text: Text = {
      refer: (value) => `r${String(references.push(value) - 1)}`,
      declare: (body) => `f${String(functions.push(body) - 1)}`,
    };
    const properties = plan.properties.map((property) => this.#property(property, text));
    const whole =
      plan.known.size === 0
        ? 'Object.keys(object).length === 0'
        : ['true', ...properties.map((_property, index) => `p${String(index)}(object)`)].join(' && ');
    const body = `'use strict';
${references.map((_value, index) => `const r${String(index)} = references[${String(index)}];`).join('\n')}
${functions.map((declared, index) => `const f${String(index)} = ${declared};`).join('\n')}
${properties.map((property, index) => `const p${String(index)} = (object) => {${property} return true; };`).join('\n')}
return {
  accepts: (object) => ${whole},
  properties: [${properties.map((_property, index) => `p${String(index)}`).join(', ')}],
};`;
    // Nothing of a request is in the text: names of properties, as JSON, numbers, and names of references.
    // oxlint-disable-next-line typescript/no-implied-eval
    return (new Function('references', body) as (references: readonly unknown[]) => Check)(references);
  }

  #property(property: PropertyPlan, text: Text): string {
    const checks = property.rules.map((rule) => ruleText(rule, text));
    if (property.nested.length > 0) checks.push(this.#nestedText(property, text));
    if (checks.length === 0) return '';
    const conditions = property.conditions.map((condition, index) =>
      property.optional.has(index) ? '(v !== null && v !== undefined)' : `!!${text.refer(condition)}(object, v)`,
    );
    // All conditions are asked, as class-validator asks them: hence `&`.
    const when = conditions.length === 0 ? '' : `if (${conditions.join(' & ')}) `;
    const refused = checks.map((check) => `!${check}`).join(' || ');
    return `const v = object[${JSON.stringify(property.name)}]; ${when}{ if (${refused}) return false; }`;
  }

  #nestedText({ type }: PropertyPlan, { refer }: Text): string {
    // A class without rules is a mistake to class-validator, and none of its instances is right.
    const check = typeof type === 'object' && type.known.size > 0 ? this.of(type) : undefined;
    const dto = typeof type === 'object' ? type.dto : undefined;
    const one = (value: unknown): boolean =>
      typeof value === 'object' &&
      value !== null &&
      check !== undefined &&
      value.constructor === dto &&
      check.accepts(value);
    const whole = (value: unknown): boolean => {
      if (!Array.isArray(value)) return one(value);
      for (const element of value) {
        if (element !== undefined && !one(element)) return false;
      }
      return true;
    };
    return `(v === undefined || ${refer(whole)}(v))`;
  }
}

interface Text {
  readonly refer: Refer;
  /** Gives a function a name. */
  readonly declare: (text: string) => string;
}

function ruleText(rule: Rule, text: Text): string {
  const { each, validateIf } = rule.metadata;
  const inline = inlineOf(rule, text.refer);
  const check = each ? eachText(rule, inline, text) : (inline ?? `${text.refer(callOf(rule))}(object, v, v)`);
  return validateIf === undefined ? check : `(!${text.refer(validateIf)}(object, v) || ${check})`;
}

function eachText(rule: Rule, inline: string | undefined, { refer, declare }: Text): string {
  if (inline === undefined) return `${refer(eachOf(callOf(rule)))}(object, v)`;
  const loop = declare(`(list) => {
  for (let i = 0; i < list.length; i += 1) { const v = list[i]; if (!${inline}) return false; }
  return true;
}`);
  return `(Array.isArray(v) ? ${loop}(v) : !(v instanceof Set || v instanceof Map) && ${inline})`;
}

type Call = (object: object, whole: unknown, value: unknown) => boolean;

function callOf({ constraints }: Rule): Call {
  const [first, ...more] = constraints;
  if (first === undefined) return () => true;
  if (more.length === 0) return first.accepts;
  return (object, whole, value) => constraints.every((constraint) => constraint.accepts(object, whole, value));
}

function eachOf(call: Call): (object: object, value: unknown) => boolean {
  return (object, value) => {
    if (value instanceof Set || value instanceof Map) throw notHere;
    if (!Array.isArray(value)) return call(object, value, value);
    for (const element of value) {
      if (!call(object, value, element)) return false;
    }
    return true;
  };
}
