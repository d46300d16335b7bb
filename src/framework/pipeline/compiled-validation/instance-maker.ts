import type { DtoPlan, PropertyPlan, ValueType } from './dto-plan.js';
import { notHere } from './rule.js';
import { plainToClass, transformerMetadata } from './transformer-metadata.js';
import { copierOf, mapElements, type ValueSource } from './value-source.js';

type Make = (source: object) => object;
type Convert = (value: unknown) => unknown;

/** Counts properties that the class has no rule for. */
export interface UnknownCount {
  /** Grows for each of them. */
  seen: number;
  /** Where more need not be kept: enough are there to be reported. */
  enough: number;
}

/**
 * Makes instances of DTO classes as class-transformer's `plainToInstance` does: the properties in the order of the
 * source, arrays and objects copied, values brought to the types that `@Type()` names.
 *
 * What it makes depends on the class alone, so the function for a class is put together once; from text where the
 * process allows that (`generate`), else from closures, which is slower by a factor of two to three.
 */
export class InstanceMaker {
  readonly #source: ValueSource;
  readonly #generate: boolean;
  readonly #unknownCount: UnknownCount;
  readonly #copy: Convert;
  readonly #makes = new Map<DtoPlan, { make: Make }>();

  constructor(source: ValueSource, generate: boolean, unknownCount: UnknownCount) {
    this.#source = source;
    this.#generate = generate;
    this.#unknownCount = unknownCount;
    this.#copy = copierOf(source);
  }

  /**
   * @param isMissing whether an unknown property of the outermost object counts as absent
   * @returns a function that throws `notHere` for values that only class-transformer can convert
   */
  makerOf(plan: DtoPlan, isMissing: ((value: unknown) => boolean) | undefined): Make {
    return this.#put(plan, isMissing);
  }

  #put(plan: DtoPlan, isMissing: ((value: unknown) => boolean) | undefined): Make {
    const properties = plan.properties.map((property) => [property.name, this.#converter(property)] as const);
    const unknown = this.#unknown(plan, isMissing);
    return this.#generate
      ? generated(plan, properties, unknown, this.#source)
      : closed(plan, properties, unknown, this.#source);
  }

  #nested(plan: DtoPlan): Convert {
    let entry = this.#makes.get(plan);
    if (entry === undefined) {
      entry = { make: () => ({}) };
      this.#makes.set(plan, entry);
      entry.make = this.#put(plan, undefined);
    }
    const maker = entry;
    const { isRecord, special } = this.#source;
    const convert: Convert = (value) => {
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value)) return mapElements(this.#source, value, convert);
      return isRecord(value) ? maker.make(value) : special(value);
    };
    return convert;
  }

  /** Called for objects only: other values of the property stay as they are, unless its type is a constructor to call. */
  #converter(property: PropertyPlan): Converter {
    const { type, hasArrayClass } = property;
    const isCalled = typeof type === 'function';
    const convert = this.#convertTo(type);
    if (!hasArrayClass) return { convert, always: isCalled };
    const guarded: Convert = (value) => {
      if (Array.isArray(value)) throw notHere;
      return convert(value);
    };
    return { convert: guarded, always: isCalled };
  }

  #convertTo(type: ValueType): Convert {
    if (type === 'copy') return this.#copy;
    if (typeof type === 'object') return this.#nested(type);
    const { toPlain, isWhole } = this.#source;
    const call = callOf(type);
    const convert: Convert = (value) => {
      if (value === null || value === undefined) return value;
      if (Array.isArray(value)) return mapElements(this.#source, value, convert);
      if (value instanceof Map || value instanceof Set) throw notHere;
      if (isWhole && !(value instanceof Date) && (typeof value === 'object' || type === Buffer)) throw notHere;
      return call(typeof value === 'object' ? toPlain(value) : value);
    };
    return convert;
  }

  #unknown(plan: DtoPlan, isMissing: ((value: unknown) => boolean) | undefined): Unknown {
    const { ignored, refused, keepsDefaults, isWhole } = this.#source;
    const prototype = plan.dto.prototype as object;
    const count = this.#unknownCount;
    return (instance, key, value) => {
      if (refused.has(key)) throw notHere;
      if (ignored.has(key)) return;
      if (isMissing?.(value) === true || count.seen >= count.enough) return;
      // Rare, and so not looked up at start: types and transformations of properties without a rule.
      if (hasTransformerMetadata(plan, key)) throw notHere;
      const defined = Object.getOwnPropertyDescriptor(prototype, key);
      if ((defined !== undefined && defined.set === undefined) || typeof instance[key] === 'function') {
        if (isWhole) throw notHere;
        return;
      }
      instance[key] = value === undefined && keepsDefaults ? instance[key] : this.#copy(value);
      count.seen += 1;
    };
  }
}

interface Converter {
  readonly convert: Convert;
  /** Also for values that are no objects. */
  readonly always: boolean;
}

type Properties = readonly (readonly [string, Converter])[];
type Unknown = (instance: Record<string, unknown>, key: string, value: unknown) => void;

function hasTransformerMetadata({ dto }: DtoPlan, key: string): boolean {
  const storage = transformerMetadata;
  if (storage === undefined) return true;
  return (
    storage.findTypeMetadata(dto, key) !== undefined ||
    storage.findTransformMetadatas(dto, key, plainToClass).length > 0
  );
}

function callOf(type: Exclude<ValueType, 'copy' | DtoPlan>): Convert {
  if (type === Date) return (value) => (value instanceof Date ? new Date(value.valueOf()) : new Date(value as string));
  // A date stays one, whatever the type: class-transformer looks for dates first.
  if (type === Buffer) {
    return (value) => (value instanceof Date ? new Date(value.valueOf()) : Buffer.from(value as string));
  }
  return type as Convert;
}

function closed(plan: DtoPlan, properties: Properties, unknown: Unknown, { keepsDefaults }: ValueSource): Make {
  const converters = new Map(properties);
  return (source) => {
    const instance = new plan.dto() as Record<string, unknown>;
    for (const key of Object.keys(source)) {
      const value = (source as Record<string, unknown>)[key];
      const converter = converters.get(key);
      if (converter === undefined) unknown(instance, key, value);
      else if (value === undefined) instance[key] = keepsDefaults ? instance[key] : undefined;
      else instance[key] = converter.always || typeof value === 'object' ? converter.convert(value) : value;
    }
    return instance;
  };
}

function generated(plan: DtoPlan, properties: Properties, unknown: Unknown, source: ValueSource): Make {
  const cases = properties.map(([name, { always }], index) => {
    const key = JSON.stringify(name);
    const absent = source.keepsDefaults ? `instance[${key}]` : 'undefined';
    const present = always
      ? `convert${String(index)}(value)`
      : `typeof value === 'object' && value !== null ? convert${String(index)}(value) : value`;
    return `case ${key}: instance[${key}] = value === undefined ? ${absent} : ${present}; break;`;
  });
  const converters = properties.map(
    (_property, index) => `const convert${String(index)} = converters[${String(index)}];`,
  );
  const text = `'use strict';
${converters.join('\n')}
const hasOwn = Object.prototype.hasOwnProperty;
return (source) => {
  const instance = new Dto();
  for (const key in source) {
    if (!hasOwn.call(source, key)) continue;
    const value = source[key];
    switch (key) {
      ${cases.join('\n      ')}
      default: unknown(instance, key, value);
    }
  }
  return instance;
};`;
  // Nothing of a request is in the text: names of properties, as JSON, and numbers of positions.
  // oxlint-disable-next-line typescript/no-implied-eval
  const make = new Function('Dto', 'converters', 'unknown', text) as (
    dto: new () => object,
    converters: readonly Convert[],
    unknown: Unknown,
  ) => Make;
  return make(
    plan.dto,
    properties.map(([, { convert }]) => convert),
    unknown,
  );
}
