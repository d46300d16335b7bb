import { getMetadataStorage, type ValidationArguments } from 'class-validator';

/** class-validator's description of one decorator on one property. */
export type ValidationRule = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

type ConstraintMetadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidatorConstraints']>[number];

/** One check of one decorator. */
export interface Constraint {
  readonly name: string;
  /**
   * @param whole the property's value; `value` is it, or with `each` one of its elements
   * @throws notHere the answer is a promise
   */
  readonly accepts: (object: object, whole: unknown, value: unknown) => boolean;
  /** The one that class-validator would call. */
  readonly instance: () => ConstraintMetadata['instance'];
}

/** A decorator that checks values. */
export interface Rule {
  readonly metadata: ValidationRule;
  readonly constraints: readonly Constraint[];
}

/** Thrown where a value, other than a class, is beyond the compiled path: class-validator has to see it. */
export const notHere = new Error('left to class-validator');

/** @param refuse called with the reason when the rule cannot be checked synchronously */
export function toRule(dto: new () => object, metadata: ValidationRule, refuse: (why: string) => never): Rule {
  const constraints = getMetadataStorage().getTargetValidatorConstraints(metadata.constraintCls);
  if (constraints.some((one) => one.async)) refuse(`has the asynchronous rule ${constraints[0]?.name ?? ''}`);
  return { metadata, constraints: constraints.map((one) => toConstraint(dto.name, metadata, one)) };
}

function toConstraint(targetName: string, metadata: ValidationRule, constraint: ConstraintMetadata): Constraint {
  const instance = instanceOf(constraint);
  const { propertyName: property, constraints } = metadata;
  const lean = new LeanArguments(targetName, property, constraints);
  const argumentsOf = (object: object, value: unknown): ValidationArguments => ({
    targetName,
    property,
    object,
    value,
    constraints,
  });
  return {
    name: constraint.name,
    instance,
    accepts: (object, whole, value) => {
      if (!lean.wasRead) {
        const answer = lean.validate(instance(), value);
        if (!lean.wasRead) return answer;
      }
      return settled(instance().validate(value, argumentsOf(object, whole)));
    },
  };
}

/**
 * The arguments of a validator that looks at no more than value and constraints, as the built-in ones do: made once.
 * One that reads `object` or `value` is found out at its first call, which is then repeated with arguments of its own.
 */
class LeanArguments {
  wasRead = false;
  readonly #arguments: ValidationArguments;

  constructor(targetName: string, property: string, constraints: ValidationArguments['constraints']) {
    const get = (): never => {
      this.wasRead = true;
      throw notHere;
    };
    const lean = { targetName, property, constraints };
    Object.defineProperties(lean, { object: { get, enumerable: true }, value: { get, enumerable: true } });
    this.#arguments = lean as ValidationArguments;
  }

  validate(instance: ConstraintMetadata['instance'], value: unknown): boolean {
    try {
      return settled(instance.validate(value, this.#arguments));
    } catch (error) {
      if (this.wasRead) return false;
      throw error;
    }
  }
}

// Those that `registerDecorator` makes have no state; a class of the user's may come from a container, and change.
function instanceOf(constraint: ConstraintMetadata): Constraint['instance'] {
  if (constraint.target.name !== 'CustomConstraint') return () => constraint.instance;
  let instance: ConstraintMetadata['instance'] | undefined;
  return () => (instance ??= constraint.instance);
}

function settled(answer: boolean | Promise<boolean>): boolean {
  if (typeof answer === 'object' && answer !== null && typeof answer.then === 'function') throw notHere;
  return Boolean(answer);
}
