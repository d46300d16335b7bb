import type { DescMessage, DescService, Message, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Observable } from 'rxjs';

type Leaf = Uint8Array | bigint | string | number | boolean | symbol | undefined | null;

/** `T` without the marks of protobuf-es, all the way down. */
type Fields<T> = T extends Leaf
  ? T
  : T extends readonly (infer E)[]
    ? Fields<E>[]
    : { [K in keyof T as K extends '$typeName' | '$unknown' ? never : K]: Fields<T[K]> };

/**
 * The fields of a message, for a DTO class to implement: the compiler then holds the class to the wire contract.
 *
 * @example
 * class CreateUserInput implements InputOf<typeof CreateUserRequestSchema> {
 *   @IsString() readonly displayName!: string;
 *   …
 * }
 */
export type InputOf<S extends DescMessage> = Fields<MessageShape<S>>;

/** What a handler may return for a message: anything `create()` takes. An empty message may be nothing at all. */
export type OutputOf<S extends DescMessage> =
  MessageShape<S> extends Message<'google.protobuf.Empty'> ? MessageInitShape<S> | void : MessageInitShape<S>;

type Answer<O extends DescMessage> = OutputOf<O> | Promise<OutputOf<O>> | Observable<OutputOf<O>>;
type Answers<O extends DescMessage> = Stream<O> | Promise<Stream<O>>;
type Stream<O extends DescMessage> = AsyncIterable<MessageInitShape<O>> | Observable<MessageInitShape<O>>;

// Parameters of a method are compared both ways, those of a function one way only. The DTO of a handler may be narrower
// than the message (a union of literals for a string) as its validation makes sure of it.
type Method<I, R> = { handle(input: I, ...rest: never[]): R }['handle'];

type Handler<M> = M extends {
  methodKind: infer K;
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? K extends 'unary'
    ? Method<InputOf<I>, Answer<O>>
    : K extends 'server_streaming'
      ? Method<InputOf<I>, Answers<O>>
      : K extends 'client_streaming'
        ? Method<AsyncIterable<InputOf<I>>, Answer<O>>
        : Method<AsyncIterable<InputOf<I>>, Answers<O>>
  : never;

/**
 * The methods of a service as a class may implement them; `@GrpcService` checks against it. A descriptor without generated
 * types checks nothing.
 */
export type ServiceHandlers<S extends DescService> = string extends keyof S['method']
  ? object
  : { [K in keyof S['method']]?: Handler<S['method'][K]> };
