import { create, type DescEnum, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage } from 'class-validator';
import type { DtoClass } from '../../pipeline/index.js';
import { hasImplicitPresence, isWellKnown, type MessageSchemas } from './message-schemas.js';
import { refineSchema, withAuthored } from './refine-schema.js';
import type { Schema } from './schema.js';
import type { SchemaRegistry } from './schema-registry.js';
import { enumValues, ruleSchema } from './validation-rules.js';

type Storage = ReturnType<typeof getMetadataStorage>;
type Rule = ReturnType<Storage['getTargetValidationMetadatas']>[number];

/** One property of an input while its schema is made. */
interface Property {
  readonly dto: DtoClass;
  readonly name: string;
  readonly rules: readonly Rule[];
  /** The field of the RPC's request message, where there is one: it fixes the JSON type. */
  readonly field: DescField | undefined;
}

/** Schemas of validated DTO classes, by the rules of class-validator and, on RPCs, the types of the request message. */
export class InputSchemas {
  readonly #registry: SchemaRegistry;
  readonly #messages: MessageSchemas;
  readonly #authored: (dto: DtoClass) => Schema | undefined;

  /** @param authored what an author wrote about a class by hand */
  constructor(registry: SchemaRegistry, messages: MessageSchemas, authored: (dto: DtoClass) => Schema | undefined) {
    this.#registry = registry;
    this.#messages = messages;
    this.#authored = authored;
  }

  /** Whether class-validator has a rule for the class; without one nothing can be said of it. */
  knows(dto: DtoClass): boolean {
    return rulesOf(dto).length > 0;
  }

  /** The shared schema of a class. */
  ref(dto: DtoClass, message: DescMessage | undefined): Schema {
    return this.#registry.ref(dto, message, dto.name, () => this.object(dto, message));
  }

  /** The schema of a class, to be taken apart into parameters and body. */
  object(dto: DtoClass, message: DescMessage | undefined): Schema & { properties: Record<string, Schema> } {
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    const defaults = defaultsOf(dto);
    const authored = this.#authored(dto)?.properties;
    for (const [name, rules] of byProperty(rulesOf(dto))) {
      const field = message?.field[name];
      if (message !== undefined && field === undefined) {
        Object.assign(properties, this.#oneofMembers(message, name));
        continue;
      }
      const property: Property = { dto, name, rules, field };
      const schema = withAuthored(this.#property(property, authored?.[name]), authored?.[name]);
      const preset = field !== undefined && hasImplicitPresence(field) ? undefined : defaults[name];
      if (isRequired(property, preset)) required.push(field?.jsonName ?? name);
      properties[field?.jsonName ?? name] =
        preset === undefined || schema.$ref !== undefined ? schema : { ...schema, default: preset };
    }
    return { type: 'object', properties, ...(required.length > 0 && { required }), additionalProperties: false };
  }

  // A property that stands for a oneof is not in the JSON: its members are.
  #oneofMembers(message: DescMessage, name: string): Record<string, Schema> {
    const oneof = message.oneofs.find((one) => one.localName === name);
    return Object.fromEntries((oneof?.fields ?? []).map((field) => [field.jsonName, this.#messages.field(field)]));
  }

  #property(property: Property, authored: Schema | undefined): Schema {
    const { rules, field } = property;
    const base =
      this.#nested(property, authored) ?? (field === undefined ? designSchema(property) : this.#messages.field(field));
    const enumeration = field?.enum;
    if (enumeration !== undefined && field?.fieldKind !== 'map') return enumSchema(base, enumeration, rules);
    if (field !== undefined && (base.format === 'byte' || (field.message !== undefined && base.$ref === undefined))) {
      if (field.fieldKind !== 'list') return base;
    }
    let schema = base;
    // Types first: they decide which of the other words mean something.
    for (const rule of rules.toSorted((a, b) => Number(isTypeRule(b)) - Number(isTypeRule(a)))) {
      if (isCheck(rule)) schema = apply(schema, rule);
    }
    return withItems(schema);
  }

  #nested(property: Property, authored: Schema | undefined): Schema | undefined {
    const { dto, name, rules, field } = property;
    if (!rules.some((rule) => rule.type === 'nestedValidation')) return undefined;
    if (field !== undefined && (field.message === undefined || isWellKnown(field.message))) return undefined;
    const isArray = field === undefined ? designType(property) === Array : field.fieldKind === 'list';
    const element = nestedClass(dto, name, isArray);
    if (element === undefined) return undefined;
    const schema = this.ref(element, field?.message);
    if (field?.fieldKind === 'map') return { type: 'object', additionalProperties: schema };
    if (!isArray) return schema;
    return { type: 'array', items: isArrayOfArrays(rules, authored) ? { type: 'array', items: schema } : schema };
  }
}

// class-validator takes an array of arrays for an array, and the compiler leaves no trace of either: a rule for each
// element says which it is (`@IsArray({ each: true })`, `@ArrayMaxSize(3, { each: true })`), or the author.
function isArrayOfArrays(rules: readonly Rule[], authored: Schema | undefined): boolean {
  if (authored?.items?.type === 'array') return true;
  return rules.some((rule) => rule.each && isCheck(rule) && schemaOf(rule).type === 'array');
}

function withItems(schema: Schema): Schema {
  return schema.type === 'array' ? { ...schema, items: withItems(schema.items ?? {}) } : schema;
}

function rulesOf(dto: DtoClass): readonly Rule[] {
  return getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
}

function byProperty(rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  // Rules are filed from the last decorator to the first and inherited ones last; the names come in order of declaration.
  return Map.groupBy(rules, (rule) => rule.propertyName);
}

function ruleName(rule: Rule): string {
  return rule.name ?? constraintOf(rule)?.name ?? rule.type;
}

function constraintOf(rule: Rule): ReturnType<Storage['getTargetValidatorConstraints']>[number] | undefined {
  return getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls)[0];
}

function schemaOf(rule: Rule): Schema {
  return ruleSchema(ruleName(rule), (rule.constraints as readonly unknown[] | undefined) ?? []);
}

// The other kinds say when a value is looked at, not what it must be.
function isCheck(rule: Rule): boolean {
  return rule.type === 'customValidation' || rule.type === 'isDefined';
}

function isTypeRule(rule: Rule): boolean {
  return isCheck(rule) && schemaOf(rule).type !== undefined;
}

function apply(schema: Schema, rule: Rule): Schema {
  const refinement = schemaOf(rule);
  if (!rule.each || (schema.type !== undefined && schema.type !== 'array')) return refineSchema(schema, refinement);
  return { ...schema, type: 'array', items: refineSchema(schema.items ?? {}, refinement) };
}

// The handler sees numbers, JSON has names.
function enumSchema(base: Schema, desc: DescEnum, rules: readonly Rule[]): Schema {
  const allowed = rules.find((rule) => ['isIn', 'isEnum', 'equals'].includes(ruleName(rule)));
  if (allowed === undefined) return base;
  const [first] = allowed.constraints as readonly unknown[];
  const numbers = Array.isArray(first)
    ? first
    : typeof first === 'object' && first !== null
      ? enumValues(first)
      : [first];
  const names = desc.values.filter((value) => numbers.includes(value.number)).map((value) => value.name);
  if (names.length === 0 || names.length === desc.values.length) return base;
  const schema: Schema = { type: 'string', enum: names };
  return base.type === 'array' ? { ...base, items: schema } : schema;
}

function designType({ dto, name }: Property): unknown {
  return Reflect.getMetadata('design:type', dto.prototype as object, name);
}

function designSchema(property: Property): Schema {
  switch (designType(property)) {
    case String:
      return { type: 'string' };
    case Number:
      return { type: 'number' };
    case Boolean:
      return { type: 'boolean' };
    case Array:
      return { type: 'array' };
    case Date:
      return { type: 'string', format: 'date-time' };
    default:
      return {};
  }
}

// class-transformer tells nobody what `@Type` says; what it makes of an empty object does.
function nestedClass(dto: DtoClass, name: string, isArray: boolean): DtoClass | undefined {
  try {
    const made = (plainToInstance(dto, { [name]: isArray ? [{}] : {} }) as Record<string, unknown>)[name];
    const element: unknown = Array.isArray(made) ? made[0] : made;
    if (typeof element !== 'object' || element === null) return undefined;
    return element.constructor === Object ? undefined : (element.constructor as DtoClass);
  } catch {
    return undefined;
  }
}

// What an instance holds before anything is read into it; only what JSON can say.
function defaultsOf(dto: DtoClass): Record<string, unknown> {
  try {
    return JSON.parse(JSON.stringify(new dto())) as Record<string, unknown>;
  } catch {
    return {};
  }
}

// What is absent reaches the rules as undefined, or as the zero value where the wire format cannot tell the two apart.
function isRequired({ dto, rules, field }: Property, preset: unknown): boolean {
  if (preset !== undefined || rules.some((rule) => rule.type === 'conditionalValidation')) return false;
  const absent = field !== undefined && hasImplicitPresence(field) ? zeroOf(field) : undefined;
  return rules.some((rule) => isCheck(rule) && refuses(rule, dto, absent));
}

function zeroOf(field: DescField): unknown {
  return (create(field.parent) as unknown as Record<string, unknown>)[field.localName];
}

function refuses(rule: Rule, dto: DtoClass, value: unknown): boolean {
  if (rule.each && Array.isArray(value)) return false;
  const constraint = constraintOf(rule);
  // A rule that asks others (a database, say) is not run for a description.
  if (constraint === undefined || constraint.async) return true;
  const { propertyName: property, constraints = [] } = rule as { propertyName: string; constraints?: unknown[] };
  try {
    const args = { value, property, constraints, object: {}, targetName: dto.name };
    const result = constraint.instance.validate(value, args);
    // One that did not say so beforehand: its answer comes too late, its failure must not end the process.
    if (typeof result !== 'boolean') result.catch(() => {});
    return result !== true;
  } catch {
    return true;
  }
}
