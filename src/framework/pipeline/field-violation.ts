import type { FieldViolation } from '../core/index.js';

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
