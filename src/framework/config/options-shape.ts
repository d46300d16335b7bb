import 'reflect-metadata';
import { getMetadataStorage } from 'class-validator';
import type { OptionsClass } from '../core/index.js';

/** What a text is to become. `structure` stands for lists and mappings of nested classes, which are written as JSON. */
export type ValueKind = 'number' | 'boolean' | 'text' | 'list' | 'structure';

interface Rule {
  readonly name: string;
  readonly each: boolean;
}

const kindsByRule: Readonly<Record<string, ValueKind>> = {
  isInt: 'number',
  isNumber: 'number',
  isPositive: 'number',
  isNegative: 'number',
  min: 'number',
  max: 'number',
  isDivisibleBy: 'number',
  isPort: 'text',
  isBoolean: 'boolean',
  isString: 'text',
  isArray: 'list',
  arrayNotEmpty: 'list',
  arrayMinSize: 'list',
  arrayMaxSize: 'list',
  arrayUnique: 'list',
};

/** What the decorators and the compiler leave behind about the properties of a class. */
export class OptionsShape {
  static readonly #shapes = new WeakMap<object, OptionsShape>();
  readonly #rules = new Map<string, Rule[]>();
  readonly #prototype: object;
  /** Names of all properties: those with a rule and those a new instance has. */
  readonly properties: ReadonlySet<string>;

  private constructor(options: OptionsClass) {
    this.#prototype = options.prototype as object;
    for (const rule of getMetadataStorage().getTargetValidationMetadatas(options, '', false, false)) {
      const rules = this.#rules.get(rule.propertyName) ?? [];
      // A rule made by a decorator of class-validator carries its name; the few that do not, their kind.
      rules.push({ name: rule.name ?? rule.type, each: rule.each });
      this.#rules.set(rule.propertyName, rules);
    }
    this.properties = new Set([...Object.keys(new options()), ...this.#rules.keys()]);
  }

  static of(options: OptionsClass): OptionsShape {
    let shape = OptionsShape.#shapes.get(options);
    if (shape === undefined) {
      shape = new OptionsShape(options);
      OptionsShape.#shapes.set(options, shape);
    }
    return shape;
  }

  /** What a text for `property` is to be read as: by its rules, else by the type the compiler recorded, else as it is. */
  kindOf(property: string): ValueKind {
    const rules = this.#rules.get(property) ?? [];
    const isNested = rules.some((rule) => rule.name === 'nestedValidation');
    if (isNested) return 'structure';
    if (rules.some((rule) => rule.each)) return 'list';
    return kindOfRules(rules) ?? this.#kindOfType(property);
  }

  /** What the items of a list are to be read as. */
  itemKindOf(property: string): ValueKind {
    return kindOfRules((this.#rules.get(property) ?? []).filter((rule) => rule.each)) ?? 'text';
  }

  #kindOfType(property: string): ValueKind {
    const type: unknown = Reflect.getMetadata('design:type', this.#prototype, property);
    if (type === Number) return 'number';
    if (type === Boolean) return 'boolean';
    if (type === Array) return 'list';
    return 'text';
  }
}

function kindOfRules(rules: readonly Rule[]): ValueKind | undefined {
  for (const { name } of rules) {
    const kind = kindsByRule[name];
    if (kind !== undefined) return kind;
  }
  return undefined;
}
