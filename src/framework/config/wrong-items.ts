import { getMetadataStorage, type ValidationError } from 'class-validator';
import type { OptionsClass } from '../core/index.js';

/** A rule that was broken, and its message. */
export type BrokenRule = readonly [rule: string, message: string];

/** An item of a list that breaks rules for each item. */
export interface WrongItem {
  readonly index: number;
  readonly value: unknown;
  readonly rules: readonly BrokenRule[];
}

/**
 * Finds the items that break the `each` rules of a list: class-validator reports only the list.
 *
 * @returns the items in their order, and the broken rules that are about the list itself
 */
export function wrongItems(error: ValidationError): {
  readonly items: readonly WrongItem[];
  readonly rest: readonly BrokenRule[];
} {
  const rules = Object.entries(error.constraints ?? {});
  const value: unknown = error.value;
  if (!Array.isArray(value)) return { items: [], rest: rules };
  const broken = new Map<number, BrokenRule[]>();
  const found = new Set<string>();
  const checks = eachRules(error);
  for (const [rule, message] of rules) {
    for (const check of checks.filter(({ name }) => name === rule)) {
      value.forEach((item: unknown, index) => {
        if (check.accepts(item)) return;
        found.add(rule);
        broken.set(index, [...(broken.get(index) ?? []), [rule, message.replace(/^each value in /, '')]]);
      });
    }
  }
  const items = [...broken].map(([index, its]) => ({ index, value: (value as unknown[])[index], rules: its }));
  return { items: items.toSorted((a, b) => a.index - b.index), rest: rules.filter(([rule]) => !found.has(rule)) };
}

interface EachRule {
  readonly name: string;
  readonly accepts: (item: unknown) => boolean;
}

function eachRules({ target, property, value }: ValidationError): EachRule[] {
  const options = target?.constructor as OptionsClass | undefined;
  if (target === undefined || options === undefined) return [];
  const storage = getMetadataStorage();
  return storage
    .getTargetValidationMetadatas(options, '', false, false)
    .filter((each) => each.propertyName === property && each.each)
    .flatMap((metadata) =>
      storage.getTargetValidatorConstraints(metadata.constraintCls).map(({ name, instance }) => ({
        name: name ?? metadata.type,
        accepts: (item: unknown) =>
          // The same arguments as class-validator gives, in which `value` is the list.
          instance.validate(item, {
            value: value as unknown,
            constraints: metadata.constraints,
            object: target,
            property,
            targetName: options.name,
          }) !== false,
      })),
    );
}
