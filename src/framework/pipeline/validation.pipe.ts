import { Readable } from 'node:stream';
import { type ArgumentMetadata, Injectable, ValidationPipe } from '@nestjs/common';
import { isObservable, map, mergeMap, type Observable } from 'rxjs';
import { isRecord, plainMessage } from './plain-message.js';
import { isMessageStream } from './message-stream.js';
import { ValidationError } from './pipeline.errors.js';
import { flatten } from './validation.js';

/**
 * Nest's validation for Nest's own parameter decorators (`@Body`, `@Param`, `@Query`, `@Payload`, undecorated gRPC
 * handlers), strict, and with this package's error. `@Input()` brings its own pipe and is left alone.
 */
@Injectable()
export class StrictValidationPipe extends ValidationPipe {
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

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // The call itself, as `@GrpcStreamCall` handlers get it: a Node stream, whose `map` makes another stream of it.
    if (value instanceof Readable) return value;
    // A stream is not a value to convert; its messages are checked one by one. (plainToInstance on an Observable hangs.)
    if (isMessageStream(value)) return value.map((message) => this.#message(message, metadata));
    if (isObservable(value)) return this.#observable(value, metadata);
    if (metadata.type === 'custom') return value;
    return this.#message(value, metadata);
  }

  async #message(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const plain = isRecord(value) && '$typeName' in value ? plainMessage(value) : value;
    const result: unknown = await super.transform(plain, metadata);
    if (typeof result === 'number' && Number.isNaN(result) && metadata.metatype === Number) {
      const field = metadata.data ?? '';
      throw new ValidationError([{ field, rule: 'isNumber', message: `${field} must be a number` }]);
    }
    return result;
  }

  // Nest withholds a stream's messages until `drainBuffer` is called on the very object the handler gets.
  #observable(
    source: Observable<unknown> & { drainBuffer?: () => void },
    metadata: ArgumentMetadata,
  ): Observable<unknown> {
    const checked: Observable<unknown> & { drainBuffer?: () => void } = source.pipe(
      map((message) => this.#message(message, metadata)),
      mergeMap((message) => message, 1),
    );
    if (source.drainBuffer !== undefined) checked.drainBuffer = source.drainBuffer.bind(source);
    return checked;
  }
}
