import { types } from 'node:util';
import { getMetadataStorage, ValidationTypes } from 'class-validator';
import { type Rule, toRule, type ValidationRule } from './rule.js';
import { plainToClass, transformerMetadata, type TypeMetadata } from './transformer-metadata.js';

type DtoClass = new () => object;

/** Decides whether the rules of a property count for this object (`@IsOptional()`, `@ValidateIf()`). */
export type Condition = (object: object, value: unknown) => unknown;

/** How class-transformer makes a property's value: a copy, a call of the constructor, or an instance of a DTO. */
export type ValueType =
  | 'copy'
  | StringConstructor
  | NumberConstructor
  | BooleanConstructor
  | DateConstructor
  | BufferConstructor
  | DtoPlan;

/** One property with rules. */
export interface PropertyPlan {
  readonly name: string;
  readonly type: ValueType;
  /** An array given for this property becomes an instance of a class of its own: left to class-transformer. */
  readonly hasArrayClass: boolean;
  readonly conditions: readonly Condition[];
  /** The position in `conditions` of those that `@IsOptional()` made. */
  readonly optional: ReadonlySet<number>;
  /** In the order in which they are checked: `@IsDefined()` first, as class-validator has it. */
  readonly rules: readonly Rule[];
  readonly nested: readonly ValidationRule[];
}

/** What class-validator and class-transformer know of one class, brought into the order in which they act on it. */
export interface DtoPlan {
  readonly dto: DtoClass;
  readonly properties: PropertyPlan[];
  /** Everything that some rule speaks of, `@Allow()` too. */
  readonly known: Set<string>;
}

/** A class that only class-validator can check. */
export class NotCompilable extends Error {
  constructor(
    readonly dto: DtoClass,
    readonly why: string,
  ) {
    super(`${dto.name}: ${why}`);
  }
}

/**
 * Reads the metadata of `dto` and of every class nested in it.
 *
 * @param known plans by class: classes may contain themselves and each other
 * @throws NotCompilable
 */
export function planOf(dto: DtoClass, known: Map<DtoClass, DtoPlan> = new Map()): DtoPlan {
  const found = known.get(dto);
  if (found !== undefined) return found;
  const plan: DtoPlan = { dto, properties: [], known: new Set() };
  known.set(dto, plan);
  const metadata = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
  const sample = sampleOf(dto);
  checkTransformer(dto);
  const byProperty = new Map<string, ValidationRule[]>();
  for (const rule of metadata) {
    checkName(dto, rule.propertyName);
    const rules = byProperty.get(rule.propertyName);
    if (rules === undefined) byProperty.set(rule.propertyName, [rule]);
    else rules.push(rule);
    plan.known.add(rule.propertyName);
  }
  const undeclared = Object.keys(sample).find((name) => !plan.known.has(name));
  if (metadata.length > 0 && undeclared !== undefined)
    throw new NotCompilable(dto, `its property ${undeclared} has no rule`);
  // Integer-like names come first: class-validator goes through the keys of an object.
  for (const name of Object.keys(Object.fromEntries(byProperty))) {
    checkAssignable(dto, sample, name);
    plan.properties.push(propertyPlan(dto, name, byProperty.get(name) ?? [], known));
  }
  return plan;
}

function sampleOf(dto: DtoClass): object {
  if (typeof dto.prototype !== 'object' || (dto.prototype as object).constructor !== dto) {
    throw new NotCompilable(dto, 'it is not an ordinary class');
  }
  if (dto.length > 0) throw new NotCompilable(dto, 'its constructor takes parameters');
  let sample: object;
  try {
    sample = new dto();
  } catch {
    throw new NotCompilable(dto, 'its constructor throws');
  }
  const isOrdinary = Object.getPrototypeOf(sample) === dto.prototype && !types.isProxy(sample);
  if (!isOrdinary || !Object.isExtensible(sample) || Array.isArray(sample) || 'then' in sample) {
    throw new NotCompilable(dto, 'its constructor does not give an ordinary instance');
  }
  return sample;
}

function checkTransformer(dto: DtoClass): void {
  const storage = transformerMetadata;
  if (storage === undefined) throw new NotCompilable(dto, "class-transformer's metadata cannot be read");
  if (storage.getStrategy(dto) !== 'none' || storage.getExposedMetadatas(dto).length > 0) {
    throw new NotCompilable(dto, 'it uses @Expose() or @Exclude()');
  }
  if (storage.getExcludedProperties(dto, plainToClass).length > 0) throw new NotCompilable(dto, 'it uses @Exclude()');
}

function checkName(dto: DtoClass, name: unknown): void {
  if (typeof name !== 'string') throw new NotCompilable(dto, 'it has rules on a symbol');
  if (name in Object.prototype || name === 'prototype' || name === 'then') {
    throw new NotCompilable(dto, `it has rules on ${name}`);
  }
}

// class-transformer passes over what the class itself defines; accessors may do anything.
function checkAssignable(dto: DtoClass, sample: object, name: string): void {
  if (name in (dto.prototype as object)) throw new NotCompilable(dto, `${name} is defined on its prototype`);
  const own = Object.getOwnPropertyDescriptor(sample, name);
  if (own === undefined) return;
  if (own.writable !== true || own.enumerable !== true || typeof own.value === 'function') {
    throw new NotCompilable(dto, `${name} is not an ordinary property`);
  }
}

function propertyPlan(
  dto: DtoClass,
  name: string,
  metadata: readonly ValidationRule[],
  known: Map<DtoClass, DtoPlan>,
): PropertyPlan {
  const conditions: Condition[] = [];
  const optional = new Set<number>();
  const defined: Rule[] = [];
  const custom: Rule[] = [];
  const nested: ValidationRule[] = [];
  for (const rule of metadata) {
    const isPlain = rule.constraintCls === undefined;
    if (rule.type === ValidationTypes.IS_DEFINED) {
      defined.push(toRule(dto, rule, refuse(dto, name)));
    } else if (rule.type === ValidationTypes.CUSTOM_VALIDATION) {
      custom.push(toRule(dto, rule, refuse(dto, name)));
    } else if (rule.type === ValidationTypes.NESTED_VALIDATION && isPlain) {
      nested.push(rule);
    } else if (rule.type === ValidationTypes.CONDITIONAL_VALIDATION && isPlain) {
      if (isOptional(rule)) optional.add(conditions.length);
      conditions.push((rule.constraints as Condition[])[0] as Condition);
    } else if (rule.type !== ValidationTypes.WHITELIST || !isPlain) {
      throw new NotCompilable(dto, `${name} has a rule of type ${rule.type}`);
    }
  }
  const [type, hasArrayClass] = valueType(dto, name, known);
  return { name, type, hasArrayClass, conditions, optional, rules: [...defined, ...custom], nested };
}

function refuse(dto: DtoClass, name: string): (why: string) => never {
  return (why) => {
    throw new NotCompilable(dto, `${name} ${why}`);
  };
}

function isOptional(rule: ValidationRule): boolean {
  if (rule.name !== 'isOptional') return false;
  const condition = (rule.constraints as Condition[])[0];
  const of = (value: unknown): unknown => condition?.({ [rule.propertyName]: value }, value);
  return of(null) === false && of(undefined) === false && of(0) === true && of('') === true && of(false) === true;
}

const callable: readonly unknown[] = [String, Number, Boolean, Date, Buffer];
const unsupported: readonly unknown[] = [Array, Map, Set, WeakMap, WeakSet, Promise, Function, Symbol, BigInt, RegExp];
const plainArrays: readonly unknown[] = [undefined, Object, Array, String, Number, Boolean, Date];

function valueType(dto: DtoClass, name: string, known: Map<DtoClass, DtoPlan>): readonly [ValueType, boolean] {
  const storage = transformerMetadata;
  if (storage === undefined) return ['copy', false];
  if (storage.findTransformMetadatas(dto, name, plainToClass).length > 0) {
    throw new NotCompilable(dto, `${name} uses @Transform()`);
  }
  const metadata = storage.findTypeMetadata(dto, name);
  if (metadata === undefined) return ['copy', false];
  const type = typeOf(dto, name, metadata);
  const hasArrayClass = !plainArrays.includes(metadata.reflectedType);
  if (type === Object) return ['copy', hasArrayClass];
  if (callable.includes(type)) return [type as ValueType, hasArrayClass];
  return [planOf(type as DtoClass, known), hasArrayClass];
}

function typeOf(dto: DtoClass, name: string, metadata: TypeMetadata): unknown {
  const { typeFunction, reflectedType, options } = metadata;
  if (options?.discriminator !== undefined) throw new NotCompilable(dto, `${name} has a discriminator`);
  // A type that depends on the value.
  if ((typeFunction?.length ?? 0) > 0) throw new NotCompilable(dto, `the type of ${name} is chosen by its value`);
  const type = typeFunction === undefined ? reflectedType : typeFunction();
  const isClass = typeof type === 'function' && typeof type.prototype === 'object';
  if (!isClass || unsupported.includes(type) || reflectedType === Map) {
    throw new NotCompilable(dto, `${name} has a type that is not compiled`);
  }
  return type;
}
