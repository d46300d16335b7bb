import type { DescMethod } from '@bufbuild/protobuf';
import {
  type ArgumentMetadata,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  Optional,
  type PipeTransform,
} from '@nestjs/common';
import { type Live, metadataKeys } from '../core/index.js';
import { type HttpInput, InputReader } from './input.js';
import { isMessageStream } from './message-stream.js';
import { MESSAGE_POLICY, type MessagePolicy } from './pipeline.options.js';
import type { DtoClass } from './validation.js';

// What the factory below hands to the pipe: the pipe knows the parameter's type, the factory knows the handler.
class RawInput {
  constructor(
    readonly handler: object,
    readonly http: HttpInput | undefined,
    readonly message: unknown,
  ) {}
}

function extract(_element: unknown, context: ExecutionContext): RawInput {
  if (context.getType() !== 'http') return new RawInput(context.getHandler(), undefined, context.getArgByIndex(0));
  const request = context.switchToHttp().getRequest<HttpInput>();
  return new RawInput(context.getHandler(), request, undefined);
}

const readers = new WeakMap<object, InputReader>();

function readerOf(handler: object, metadata: ArgumentMetadata): InputReader {
  let reader = readers.get(handler);
  if (reader === undefined) {
    const rpc = Reflect.getMetadata(metadataKeys.rpc, handler) as DescMethod | undefined;
    const dto = (metadata.data as unknown as DtoClass | undefined) ?? (metadata.metatype as DtoClass | undefined);
    if (dto === undefined || (dto as unknown) === Object) {
      const name = (handler as { name?: string }).name ?? 'handler';
      throw new Error(
        `@Input() on ${name}: the parameter has no class (expected: a DTO class, or @Input(ElementDto) on a stream)`,
      );
    }
    reader = new InputReader(dto, rpc?.input);
    readers.set(handler, reader);
  }
  return reader;
}

/**
 * Reads and checks what `@Input()` stands for. One reader per handler, made at start; on its first request where Nest's
 * own closure serves.
 */
@Injectable()
export class InputPipe implements PipeTransform<unknown, unknown> {
  readonly #policy: Live<MessagePolicy> | undefined;

  constructor(@Optional() @Inject(MESSAGE_POLICY) policy?: Live<MessagePolicy>) {
    this.#policy = policy;
  }

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    if (!(value instanceof RawInput)) return value;
    const reader = readerOf(value.handler, metadata);
    if (value.http !== undefined) return reader.fromHttp(value.http);
    return this.#read(value.message, reader);
  }

  /**
   * What the parameter's factory and `transform` do for one handler, in one step.
   *
   * @returns reads the input out of the request, or the message or the stream of messages
   * @throws Error  the parameter has no class
   */
  extractor(handler: object, metadata: ArgumentMetadata, isRpc: boolean): (source: unknown) => unknown {
    const reader = readerOf(handler, metadata);
    if (!isRpc) return (request) => reader.fromHttp(request as HttpInput);
    return (message) => this.#read(message, reader);
  }

  #read(message: unknown, reader: InputReader): unknown {
    if (!isMessageStream(message)) return reader.fromMessage(message as object, this.#takesUnknown);
    return message.map((element) => reader.fromMessage(element as object, this.#takesUnknown));
  }

  get #takesUnknown(): boolean {
    return this.#policy?.value.unknownFields === 'ignore';
  }
}

const decorate = createParamDecorator(extract);

/**
 * The validated input of a handler, the same on both faces: path, query and body merged, or the message.
 * On a parameter of type `AsyncIterable<ElementDto>` name the class of the messages: `@Input(ElementDto)`; each
 * message is checked when it is pulled. So it is on the `Observable<ElementDto>` of Nest's `@GrpcStreamMethod()`, whose
 * messages nobody checks otherwise, as the class is not known.
 *
 * A handler has at most one. The caller learns of wrong fields by a `ValidationError`.
 *
 * @example
 * createUser(@Input() input: CreateUserInput): Promise<User>
 * upload(@Input(LogEntryInput) entries: AsyncIterable<LogEntryInput>): Promise<UploadSummary>
 */
export function Input(element?: DtoClass): ParameterDecorator {
  return (target, method, index) => {
    if (method === undefined) throw new Error('@Input() belongs on a method parameter (found: constructor)');
    Reflect.defineMetadata(metadataKeys.input, true, target, method);
    decorate(element, InputPipe)(target, method, index);
  };
}
