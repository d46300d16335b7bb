import { Readable } from 'node:stream';
import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common';
import { concatMap, isObservable, type Observable } from 'rxjs';
import { type CompiledDto, pipeSource, Refused } from './compiled-validation/index.js';
import { checkForLibrary } from './library-limits.js';
import { isRecord, plainMessage } from './plain-message.js';
import { isMessageStream } from './message-stream.js';
import { refusedRequest, ValidationError } from './pipeline.errors.js';
import { compiled, type DtoClass, flatten, isValidated } from './validation.js';

/**
 * Nest's validation for Nest's own parameter decorators (`@Body`, `@Param`, `@Query`, `@Payload`, undecorated gRPC
 * handlers), strict, and with this package's error. `@Input()` brings its own pipe and is left alone.
 */
@Injectable()
export class StrictValidationPipe extends ValidationPipe {
  /** By class; null where class-validator does the work. */
  readonly #compiled = new WeakMap<DtoClass, CompiledDto | null>();

  constructor() {
    super({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      stopAtFirstError: true,
      exceptionFactory: (errors) => new ValidationError(flatten(errors, '')),
    });
  }

  /** The value itself, not a promise of it, where the class is compiled; Nest waits for either. */
  override transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    return this.#transform(value, metadata) as Promise<unknown>;
  }

  #transform(value: unknown, metadata: ArgumentMetadata): unknown {
    // The call itself, as `@GrpcStreamCall` handlers get it: a Node stream, whose `map` makes another stream of it.
    if (value instanceof Readable) return value;
    if (saysObservable(metadata)) return value;
    // A stream is not a value to convert; its messages are checked one by one. (plainToInstance on an Observable hangs.)
    if (isMessageStream(value)) return value.map((message) => this.#message(message, metadata));
    if (isObservable(value)) return this.#observable(value, metadata);
    if (metadata.type === 'custom') return value;
    return this.#message(value, metadata);
  }

  #message(value: unknown, metadata: ArgumentMetadata): unknown {
    const plain = isRecord(value) && '$typeName' in value ? plainMessage(value) : value;
    // Nothing to validate, and so nothing to wait for: what Nest's pipe does then, without its promise.
    if (metadata.metatype === undefined || !this.toValidate(metadata))
      return numberOf(this.transformPrimitive(plain, metadata), metadata);
    const read = this.#readCompiled(plain, metadata);
    if (read === undefined) return this.#byLibrary(plain, metadata);
    if (read instanceof Refused) throw refusedRequest(read.violations);
    return read;
  }

  #readCompiled(value: unknown, metadata: ArgumentMetadata): object | undefined {
    const dto = metadata.metatype as DtoClass | undefined;
    if (typeof dto !== 'function' || !isRecord(value) || !pipeSource.isRecord(value)) return undefined;
    let found = this.#compiled.get(dto);
    if (found === undefined) {
      // What the pipe passes on unchecked has no rules to compile, and nothing to say in the log.
      found = isValidated(dto) ? (compiled(dto, { source: pipeSource, refusesBinary: true }) ?? null) : null;
      this.#compiled.set(dto, found);
    }
    return found?.read(value);
  }

  async #byLibrary(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    checkForLibrary(value);
    return (await super.transform(value, metadata)) as unknown;
  }

  // Nest withholds a stream's messages until `drainBuffer` is called on the very object the handler gets.
  #observable(
    source: Observable<unknown> & { drainBuffer?: () => void },
    metadata: ArgumentMetadata,
  ): Observable<unknown> {
    const checked: Observable<unknown> & { drainBuffer?: () => void } = source.pipe(
      // One after the other: of those that wait nobody would hear that they are refused.
      concatMap(async (message) => await this.#message(message, metadata)),
    );
    if (source.drainBuffer !== undefined) checked.drainBuffer = source.drainBuffer.bind(source);
    return checked;
  }
}

/** @throws ValidationError  a parameter that is to be a number is none */
function numberOf(value: unknown, { metatype, data: field = '' }: ArgumentMetadata): unknown {
  if (metatype !== Number || !Number.isNaN(value)) return value;
  throw new ValidationError([{ field, rule: 'isNumber', message: `${field} must be a number` }]);
}

// The parameter's own class, not that of its messages, of which the compiler leaves no trace.
function saysObservable({ metatype }: ArgumentMetadata): boolean {
  return isObservable(metatype?.prototype);
}
