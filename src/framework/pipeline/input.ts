import 'reflect-metadata';
import type { DescMessage } from '@bufbuild/protobuf';
import { currentContext, type FieldViolation } from '../core/index.js';
import type { Origin } from './json-values.js';
import { MessageJsonReader } from './message-json.js';
import { isRecord, plainMessage, type PlainMessage } from './plain-message.js';
import { ValidationError } from './pipeline.errors.js';
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
  readonly #textTypes: ReadonlyMap<string, unknown>;

  /** @param message the RPC's request type; without one the DTO's own types say how to read path and query */
  constructor(dto: DtoClass, message: DescMessage | undefined) {
    this.#checker = new DtoChecker(dto);
    this.#json = message === undefined ? undefined : MessageJsonReader.of(message);
    this.#textTypes = new Map(
      [...this.#checker.declared].map((name) => [
        name,
        Reflect.getMetadata('design:type', dto.prototype as object, name) as unknown,
      ]),
    );
  }

  /** @throws ValidationError */
  async fromHttp(input: HttpInput): Promise<object> {
    const violations: FieldViolation[] = [];
    const plain: PlainMessage = {};
    if (input.body !== undefined && input.body !== null) {
      if (!isRecord(input.body)) {
        throw new ValidationError([{ field: '', rule: 'type', message: 'the request body must be a JSON object' }]);
      }
      this.#read(plain, input.body, 'body', violations);
    }
    this.#read(plain, input.query ?? {}, 'text', violations);
    this.#read(plain, input.params ?? {}, 'text', violations);
    this.#json?.fillDefaults(plain);
    return this.#finish(plain, violations);
  }

  /** @throws ValidationError */
  async fromMessage(message: object): Promise<object> {
    return this.#finish(plainMessage(message), []);
  }

  #read(target: PlainMessage, source: object, origin: Origin, violations: FieldViolation[]): void {
    if (this.#json !== undefined) {
      this.#json.readInto(target, source, '', origin, violations);
      return;
    }
    for (const [key, value] of Object.entries(source)) {
      if (key === '__proto__') continue;
      target[key] = origin === 'text' ? fromText(value, this.#textTypes.get(key)) : value;
    }
  }

  async #finish(plain: PlainMessage, violations: readonly FieldViolation[]): Promise<object> {
    this.#dropUndeclaredDefaults(plain);
    const checked = await this.#checker.check(plain);
    // A field of the wrong type was left out above, so a rule may also miss it: the type is the better answer.
    const told = new Set(violations.map((violation) => violation.field.split(/[.[]/, 1)[0]));
    const all = [...violations, ...checked.violations.filter((one) => !told.has(one.field.split(/[.[]/, 1)[0]))];
    if (all.length > 0) throw new ValidationError(all);
    const denial = currentContext()?.denial;
    if (denial !== undefined) throw denial;
    return checked.instance;
  }

  // A message field that the DTO does not speak of is unknown to it: refused when set, and no matter when it is not.
  #dropUndeclaredDefaults(plain: PlainMessage): void {
    for (const [name, value] of Object.entries(plain)) {
      if (!this.#checker.declared.has(name) && isZero(value)) delete plain[name];
    }
  }
}

function isZero(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false || value === 0n || value === '0')
    return true;
  if (Array.isArray(value) || Buffer.isBuffer(value)) return value.length === 0;
  return isRecord(value) && Object.values(value).every((entry) => entry === undefined);
}

function fromText(value: unknown, type: unknown): unknown {
  if (type === Array) return Array.isArray(value) ? value : [value];
  if (typeof value !== 'string') return value;
  if (type === Number && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  if (type === Boolean && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}
