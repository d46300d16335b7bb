import { Logger } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import {
  getMetadataStorage,
  validate,
  type ValidationError as ClassValidatorError,
  type ValidatorOptions,
} from 'class-validator';
import type { FieldViolation } from '../core/index.js';
import {
  CompiledDto,
  type CompileOptions,
  messageSource,
  NotCompilable,
  plainSource,
  Refused,
} from './compiled-validation/index.js';
import { isEnough, pathOf, violation } from './field-violation.js';
import { checkForLibrary } from './library-limits.js';
import { isRecord, type PlainMessage, plainMessage, plainValue } from './plain-message.js';

/** A class that class-validator and class-transformer can work on. */
export type DtoClass = new () => object;

const validatorOptions: ValidatorOptions = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  // One violation per field: the others mostly follow from the first.
  stopAtFirstError: true,
  validationError: { target: false, value: false },
};

/**
 * Turns plain values into instances of one class and checks them. Made once per class.
 *
 * Properties that no rule speaks of are refused when they are set, and count as absent when they are zero: a message
 * field that the class leaves out is always there.
 */
export class DtoChecker {
  readonly #dto: DtoClass;
  readonly #hasRules: boolean;
  readonly #plain: CompiledDto | undefined;
  readonly #message: CompiledDto | undefined;
  /** The properties that some rule speaks of; all others are unknown. */
  readonly declared: ReadonlySet<string>;

  constructor(dto: DtoClass) {
    this.#dto = dto;
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    this.#hasRules = rules.length > 0;
    this.declared = new Set(rules.map((rule) => rule.propertyName));
    this.#plain = compiled(dto, { source: plainSource, isMissing: isZero });
    this.#message =
      this.#plain && compiled(dto, { source: messageSource, isMissing: (value) => isZero(plainValue(value)) });
  }

  /** @returns the instance or what is wrong with it, at once if the class is compiled and the value is nothing unusual */
  read(plain: PlainMessage): object | Refused | Promise<object | Refused> {
    return this.#plain?.read(plain) ?? this.#readByLibrary(plain);
  }

  /** The same for a message of protobuf-es, as `plainMessage` would have it, and without the copy. */
  readMessage(message: object): object | Refused | Promise<object | Refused> {
    return this.#message?.read(message) ?? this.#readByLibrary(plainMessage(message));
  }

  async #readByLibrary(plain: PlainMessage): Promise<object | Refused> {
    checkForLibrary(plain);
    const present = Object.entries(plain).filter(([name, value]) => this.declared.has(name) || !isZero(value));
    const instance = plainToInstance(this.#dto, Object.fromEntries(present), { exposeDefaultValues: true });
    // class-validator takes an object without any rule for a mistake; here it is an empty message.
    const violations = this.#hasRules
      ? flatten(await validate(instance, validatorOptions), '')
      : unknownProperties(instance);
    return violations.length === 0 ? instance : new Refused(instance, violations);
  }
}

const told = new WeakSet<DtoClass>();

/** The functions made for a class; undefined, and a line in the log, for a class that only class-validator can check. */
export function compiled(dto: DtoClass, options: CompileOptions): CompiledDto | undefined {
  try {
    return new CompiledDto(dto, options);
  } catch (error) {
    if (!(error instanceof NotCompilable)) throw error;
    if (!told.has(dto)) {
      told.add(dto);
      new Logger('Validation').log(`${dto.name} is checked by class-validator, not compiled: ${error.message}`);
    }
    return undefined;
  }
}

/** Whether any rule speaks of `dto`. */
export function isValidated(dto: DtoClass): boolean {
  return getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false).length > 0;
}

function unknownProperties(instance: object): FieldViolation[] {
  return Object.keys(instance).map((key) => violation(key, key, 'whitelistValidation', ''));
}

function isZero(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false || value === 0n || value === '0')
    return true;
  if (Array.isArray(value) || Buffer.isBuffer(value)) return value.length === 0;
  return isRecord(value) && Object.values(value).every((entry) => entry === undefined);
}

/**
 * Brings class-validator's tree into a list, in the order of the fields, with paths such as `items[2].name`. Ends when
 * there is more than is reported.
 */
export function flatten(errors: readonly ClassValidatorError[], parent: string): FieldViolation[] {
  const violations: FieldViolation[] = [];
  flattenInto(violations, errors, parent);
  return violations;
}

function flattenInto(violations: FieldViolation[], errors: readonly ClassValidatorError[], parent: string): void {
  for (const { property, constraints = {}, children = [] } of errors) {
    const path = pathOf(parent, property);
    for (const [rule, message] of Object.entries(constraints)) {
      violations.push(violation(path, property, rule, message));
      if (isEnough(violations)) return;
    }
    flattenInto(violations, children, path);
    if (isEnough(violations)) return;
  }
}
