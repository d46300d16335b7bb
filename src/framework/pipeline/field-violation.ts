import type { FieldViolation } from '../core/index.js';

/** Violations that are reported of one request. A caller mends what it is told of, and sends again. */
export const maxViolations = 32;

// Longer names than these come from the caller.
const longestField = 200;
const longestMessage = 400;

/** Whether enough is known of what is wrong: one violation more than is reported, by which it is known that there are more. */
export function isEnough(violations: readonly FieldViolation[]): boolean {
  return violations.length > maxViolations;
}

/** What is reported of all that was found: the first of them, and their texts up to a length. */
export function reported(violations: readonly FieldViolation[]): readonly FieldViolation[] {
  const isAsFound =
    !isEnough(violations) &&
    violations.every(({ field, message }) => field.length <= longestField && message.length <= longestMessage);
  if (isAsFound) return violations;
  return violations.slice(0, maxViolations).map(({ field, rule, message }) => ({
    field: cut(field, longestField),
    rule,
    message: cut(message, longestMessage),
  }));
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest).toWellFormed()}…` : text;
}

/** The path of a property: `items[2].name`. Without a property, as class-validator tells an unknown value, its parent's. */
export function pathOf(parent: string, property: string | undefined): string {
  if (property === undefined) return parent;
  if (parent === '') return property;
  return /^\d+$/.test(property) ? `${parent}[${property}]` : `${parent}.${property}`;
}

/** What the caller is told of one broken rule. */
export function violation(path: string, property: string, rule: string, message: string): FieldViolation {
  if (rule === 'whitelistValidation')
    return { field: path, rule: 'unknownField', message: `${path} is not a known field` };
  // The built-in messages begin with the property's own name; a nested field is told by its whole path.
  const text = message.startsWith(`${property} `) ? `${path}${message.slice(property.length)}` : message;
  return { field: path, rule, message: text };
}
