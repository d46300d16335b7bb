import 'reflect-metadata';
import type { DescMessage, Message } from '@bufbuild/protobuf';
import { currentContext, type FieldViolation } from '../core/index.js';
import { isEnough } from './field-violation.js';
import { decimalOf, type Origin } from './json-values.js';
import { MessageJsonReader } from './message-json.js';
import { isRecord, type PlainMessage } from './plain-message.js';
import { refusedRequest, ValidationError } from './pipeline.errors.js';
import { Refused } from './compiled-validation/index.js';
import { UnknownFields } from './unknown-fields.js';
import { type DtoClass, DtoChecker } from './validation.js';

/** The parts of an HTTP request that an input is merged from. */
export interface HttpInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/**
 * Makes the input of one handler from either face: path, query and body merged (in that order of precedence), or
 * the message. Both give the same instance and the same violations. Made once per handler.
 */
export class InputReader {
  readonly #checker: DtoChecker;
  readonly #json: MessageJsonReader | undefined;
  readonly #unknown: UnknownFields | undefined;
  readonly #textTypes: ReadonlyMap<string, unknown>;

  /** @param message the RPC's request type; without one the DTO's own types say how to read path and query */
  constructor(dto: DtoClass, message: DescMessage | undefined) {
    this.#checker = new DtoChecker(dto);
    this.#json = message === undefined ? undefined : MessageJsonReader.of(message);
    this.#unknown = message === undefined ? undefined : new UnknownFields(message);
    this.#textTypes = new Map(
      [...this.#checker.declared].map((name) => [
        name,
        Reflect.getMetadata('design:type', dto.prototype as object, name) as unknown,
      ]),
    );
  }

  /**
   * @returns the input, or a promise of it where only class-validator can check the class
   * @throws ValidationError
   */
  fromHttp(input: HttpInput): object | Promise<object> {
    const violations: FieldViolation[] = [];
    const plain: PlainMessage = {};
    if (input.body !== undefined && input.body !== null) {
      if (!isRecord(input.body)) {
        throw new ValidationError([{ field: '', rule: 'type', message: 'the request body must be a JSON object' }]);
      }
      // Nothing to merge with: what is read is a copy anyway.
      if (this.#json === undefined && isEmpty(input.query) && isEmpty(input.params)) {
        return finished(this.#checker.read(input.body), noViolations);
      }
      this.#read(plain, input.body, 'body', violations);
    }
    this.#read(plain, input.query ?? {}, 'text', violations);
    this.#read(plain, input.params ?? {}, 'text', violations);
    if (isEnough(violations)) throw refusedRequest(violations);
    this.#json?.fillDefaults(plain);
    return finished(this.#checker.read(plain), violations);
  }

  /**
   * @param message a message of protobuf-es
   * @param takesUnknown whether fields that the message's type does not have are left out and not refused
   * @returns the input, or a promise of it where only class-validator can check the class
   * @throws ValidationError
   */
  fromMessage(message: object, takesUnknown = false): object | Promise<object> {
    const unknown = takesUnknown ? undefined : this.#unknown?.of(message as Message);
    return finished(this.#checker.readMessage(message), unknown ?? noViolations);
  }

  #read(target: PlainMessage, source: object, origin: Origin, violations: FieldViolation[]): void {
    if (this.#json !== undefined) {
      this.#json.readInto(target, source, undefined, origin, violations);
      return;
    }
    for (const [key, value] of Object.entries(source)) {
      if (key === '__proto__') continue;
      target[key] = origin === 'text' ? fromText(value, this.#textTypes.get(key)) : value;
    }
  }
}

type Read = ReturnType<DtoChecker['read']>;

const noViolations: readonly FieldViolation[] = [];

function finished(read: Read, violations: readonly FieldViolation[]): object | Promise<object> {
  if (read instanceof Promise) return read.then((settled) => finished(settled, violations));
  if (read instanceof Refused || violations.length > 0) throw refusal(read, violations);
  const denial = currentContext()?.denial;
  if (denial !== undefined) throw denial;
  return read;
}

function refusal(read: object, violations: readonly FieldViolation[]): ValidationError {
  const broken = read instanceof Refused ? read.violations : [];
  if (violations.length === 0) return refusedRequest(broken);
  // A field of the wrong type was left out before, so a rule may also miss it: the type is the better answer.
  const told = new Set(violations.map((violation) => violation.field.split(/[.[]/, 1)[0]));
  return refusedRequest([...violations, ...broken.filter((one) => !told.has(one.field.split(/[.[]/, 1)[0]))]);
}

function isEmpty(part: unknown): boolean {
  return part === undefined || part === null || Object.keys(part).length === 0;
}

function fromText(value: unknown, type: unknown): unknown {
  if (type === Array) return Array.isArray(value) ? value : [value];
  if (typeof value !== 'string') return value;
  if (type === Number) return decimalOf(value) ?? value;
  if (type === Boolean && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}
