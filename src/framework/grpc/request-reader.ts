import { type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf';
import { decompress, type Encoding } from './compression.js';
import { MessageReader, type WireMessage } from './frame.js';
import { MalformedMessageError, MessageCountError, UnexpectedCompressionError } from './grpc.errors.js';
import type { ServerStream } from './server-stream.js';

interface Waiter {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const end: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The messages of one request, pulled: while nobody asks for the next one, the HTTP/2 stream is paused, so that flow
 * control holds the caller back and no more than one packet waits here.
 */
export class RequestReader {
  readonly #stream: ServerStream;
  readonly #input: DescMessage;
  readonly #encoding: Encoding | undefined;
  readonly #maxBytes: number;
  readonly #frames: MessageReader;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #waiter: Waiter | undefined;

  constructor(stream: ServerStream, input: DescMessage, encoding: Encoding | undefined, maxBytes: number) {
    this.#stream = stream;
    this.#input = input;
    this.#encoding = encoding;
    this.#maxBytes = maxBytes;
    this.#frames = new MessageReader(maxBytes);
  }

  onData(chunk: Uint8Array): void {
    this.#frames.push(chunk);
    this.#offer();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#offer();
  }

  /** No more messages: whoever waits for one, now or later, gets `error`. */
  fail(error: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#fail(waiter, error);
  }

  /** Asks for the next message. One call at a time. */
  next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#waiter !== undefined)
      return Promise.reject(new Error('next(): called again before the previous call was answered'));
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Message, undefined>>();
    this.#waiter = { resolve, reject };
    this.#offer();
    return promise;
  }

  #offer(): void {
    const waiter = this.#waiter;
    if (waiter === undefined) {
      if (!this.#hasEnded) this.#stream.pause();
      return;
    }
    try {
      const result = this.#advance();
      if (result === undefined) {
        this.#stream.resume();
        return;
      }
      this.#waiter = undefined;
      if (result instanceof Promise) result.then(waiter.resolve, (error: unknown) => this.#fail(waiter, error));
      else waiter.resolve(result);
    } catch (error) {
      this.fail(error);
    }
  }

  #fail(waiter: Waiter | undefined, error: unknown): void {
    this.#failure ??= { error };
    waiter?.reject(this.#failure.error);
  }

  #advance(): Promise<IteratorResult<Message, undefined>> | IteratorResult<Message, undefined> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    const wire = this.#frames.next();
    if (wire !== undefined) return this.#read(wire);
    if (!this.#hasEnded) return undefined;
    if (!this.#frames.isEmpty) throw new MalformedMessageError('the request ends in the middle of a message');
    return end;
  }

  #read(wire: WireMessage): Promise<IteratorResult<Message, undefined>> | IteratorResult<Message, undefined> {
    const message = decode(this.#input, wire, this.#encoding, this.#maxBytes);
    if (message instanceof Promise) return message.then((value) => ({ done: false, value }));
    return { done: false, value: message };
  }
}

/** Collects the one message of a unary or server-streaming request. */
export class SingleRequestReader {
  readonly #frames: MessageReader;
  readonly #input: DescMessage;
  readonly #encoding: Encoding | undefined;
  readonly #maxBytes: number;
  #message: WireMessage | undefined;

  constructor(input: DescMessage, encoding: Encoding | undefined, maxBytes: number) {
    this.#input = input;
    this.#encoding = encoding;
    this.#maxBytes = maxBytes;
    this.#frames = new MessageReader(maxBytes);
  }

  /** @throws RookeryError what the caller did wrong, as soon as it shows */
  onData(chunk: Uint8Array): void {
    this.#frames.push(chunk);
    for (let wire = this.#frames.next(); wire !== undefined; wire = this.#frames.next()) {
      if (this.#message !== undefined) throw new MessageCountError('more than one');
      this.#message = wire;
    }
  }

  /** Called at the end of the request. A promise only where there is something to decompress. */
  message(): Message | Promise<Message> {
    if (!this.#frames.isEmpty) throw new MalformedMessageError('the request ends in the middle of a message');
    if (this.#message === undefined) throw new MessageCountError('none');
    return decode(this.#input, this.#message, this.#encoding, this.#maxBytes);
  }
}

function decode(
  input: DescMessage,
  wire: WireMessage,
  encoding: Encoding | undefined,
  maxBytes: number,
): Message | Promise<Message> {
  if (!wire.isCompressed) return parse(input, wire.data);
  if (encoding === undefined) throw new UnexpectedCompressionError();
  return decompress(encoding, wire.data, maxBytes).then((data) => parse(input, data));
}

function parse(input: DescMessage, data: Uint8Array): Message {
  try {
    return fromBinary(input, data);
  } catch (cause) {
    // The decoder's own words would not help a caller: they speak of offsets and wire types.
    throw new MalformedMessageError(`not a valid ${input.typeName}`, { cause });
  }
}
