import type { ValidationArguments } from 'class-validator';
import type { ValidationRule } from './rule.js';

interface Told {
  readonly targetName: string;
  readonly object: unknown;
  readonly value: unknown;
}

type Describe = ((args: ValidationArguments) => string) | undefined;

/**
 * The text of a broken rule: the decorator's own, or the validator's; `$constraint1`, `$value`, `$property` and
 * `$target` are replaced as class-validator does.
 */
export function ruleMessage(rule: ValidationRule, told: Told, defaultMessage: Describe): string {
  const args = {
    targetName: told.targetName,
    property: rule.propertyName,
    object: told.object,
    value: told.value,
    constraints: rule.constraints,
  } as ValidationArguments;
  const message = rule.message || (typeof defaultMessage === 'function' ? defaultMessage(args) : '');
  return withTokens(typeof message === 'function' ? message(args) : message, args);
}

function withTokens(message: string, { constraints, value, property, targetName }: ValidationArguments): string {
  if (!message?.includes('$')) return message;
  let text = message;
  const limits: unknown = constraints;
  if (Array.isArray(limits) && text.includes('$constraint')) {
    // `$constraint1` is also the beginning of `$constraint10`, there as here.
    for (const [index, limit] of limits.entries()) {
      text = text.replaceAll(`$constraint${String(index + 1)}`, limitText(limit));
    }
  }
  if (['string', 'boolean', 'number'].includes(typeof value)) text = text.replaceAll('$value', value as string);
  return text.replaceAll('$property', property).replaceAll('$target', targetName);
}

function limitText(limit: unknown): string {
  if (Array.isArray(limit)) return limit.join(', ');
  return typeof limit === 'symbol' ? String(limit.description) : String(limit);
}
