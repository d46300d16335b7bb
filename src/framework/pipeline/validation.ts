import { plainToInstance } from 'class-transformer';
import {
  getMetadataStorage,
  validate,
  type ValidationError as ClassValidatorError,
  type ValidatorOptions,
} from 'class-validator';
import type { FieldViolation } from '../core/index.js';

/** A class that class-validator and class-transformer can work on. */
export type DtoClass = new () => object;

/** What became of a value: the instance, and what is wrong with it. */
export interface Checked {
  readonly instance: object;
  readonly violations: readonly FieldViolation[];
}

const options: ValidatorOptions = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  // One violation per field: the others mostly follow from the first.
  stopAtFirstError: true,
  validationError: { target: false, value: false },
};

/** Turns plain values into instances of one class and checks them. Made once per class. */
export class DtoChecker {
  readonly #dto: DtoClass;
  readonly #hasRules: boolean;
  /** The properties that some rule speaks of; all others are unknown. */
  readonly declared: ReadonlySet<string>;

  constructor(dto: DtoClass) {
    this.#dto = dto;
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    this.#hasRules = rules.length > 0;
    this.declared = new Set(rules.map((rule) => rule.propertyName));
  }

  async check(plain: Record<string, unknown>): Promise<Checked> {
    const instance = plainToInstance(this.#dto, plain, { exposeDefaultValues: true });
    // class-validator takes an object without any rule for a mistake; here it is an empty message.
    if (!this.#hasRules) return { instance, violations: unknownProperties(instance) };
    return { instance, violations: flatten(await validate(instance, options), '') };
  }
}

function unknownProperties(instance: object): FieldViolation[] {
  return Object.keys(instance).map((key) => ({
    field: key,
    rule: 'unknownField',
    message: `${key} is not a known field`,
  }));
}

/** Brings class-validator's tree into a list, in the order of the fields, with paths such as `items[2].name`. */
export function flatten(errors: readonly ClassValidatorError[], parent: string): FieldViolation[] {
  return errors.flatMap((error) => {
    const path = pathOf(parent, error.property);
    const own = Object.entries(error.constraints ?? {}).map(([rule, message]) =>
      violation(path, error.property, rule, message),
    );
    return [...own, ...flatten(error.children ?? [], path)];
  });
}

function pathOf(parent: string, property: string): string {
  if (parent === '') return property;
  return /^\d+$/.test(property) ? `${parent}[${property}]` : `${parent}.${property}`;
}

function violation(path: string, property: string, rule: string, message: string): FieldViolation {
  if (rule === 'whitelistValidation')
    return { field: path, rule: 'unknownField', message: `${path} is not a known field` };
  // The built-in messages begin with the property's own name; a nested field is told by its whole path.
  const text = message.startsWith(`${property} `) ? `${path}${message.slice(property.length)}` : message;
  return { field: path, rule, message: text };
}
