import type { Message } from '@bufbuild/protobuf';
import { CancelledError, RookeryError } from '../core/index.js';
import { decompressionTurns } from '../wire/index.js';
import { decompress, type Encoding } from './compression.js';
import { MessageReader, type WireMessage } from './frame.js';
import { MalformedMessageError, MessageCountError, UnexpectedCompressionError } from './grpc.errors.js';
import type { DecodeLimits } from './codec/work-budget.js';
import type { BoundMethod } from './method-table.js';
import type { ServerStream } from './server-stream.js';

interface Waiter {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** How the request messages of one call are to be read. */
export interface RequestFormat {
  /** What they come over. */
  readonly stream: Pick<ServerStream, 'account' | 'peer'>;
  /** Whether the call is over: nothing is decompressed for it any more. */
  readonly isEnded: boolean;
  readonly method: Pick<BoundMethod<never>, 'desc' | 'input'>;
  readonly encoding: Encoding | undefined;
  /** The largest message taken, before and after decompression. */
  readonly maxBytes: number;
  /** What decoding a message may take. */
  readonly limits: DecodeLimits;
  /** Fields that the message's type does not have: how many are kept. */
  readonly maxUnknownFields: number;
}

const endOfMessages: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * The messages of one request, pulled: while nobody asks for the next one, the HTTP/2 stream is paused, so that flow
 * control holds the caller back and no more than one packet waits here.
 */
export class RequestReader {
  readonly #stream: ServerStream;
  readonly #format: RequestFormat;
  readonly #frames: MessageReader;
  #hasEnded = false;
  #isCancelled = false;
  #failure: { readonly error: unknown } | undefined;
  #waiter: Waiter | undefined;

  constructor(stream: ServerStream, format: RequestFormat) {
    this.#stream = stream;
    this.#format = format;
    this.#frames = new MessageReader(format.maxBytes);
  }

  /** Bytes that have come and are in no message that was handed out. */
  get waitingBytes(): number {
    return this.#frames.bytes;
  }

  onData(chunk: Uint8Array): void {
    this.#frames.push(chunk);
    if (this.#waiter === undefined) this.#stream.pause();
    else this.#serve(this.#waiter);
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.#waiter !== undefined) this.#serve(this.#waiter);
  }

  /** No more messages: whoever waits for one, now or later, gets `error`. */
  fail(error: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#failure ??= { error };
    waiter?.reject(this.#failure.error);
  }

  /** The same, as if the caller had gone away: the call is answered. */
  cancel(): void {
    if (this.#waiter === undefined) this.#isCancelled = true;
    else this.fail(new CancelledError());
  }

  /** Asks for the next message. One call at a time. */
  next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#waiter !== undefined)
      return Promise.reject(new Error('next(): called again before the previous call was answered'));
    try {
      const result = this.#advance();
      if (result instanceof Promise) return result.catch((error: unknown) => this.#refuse(error));
      if (result !== undefined) return Promise.resolve(result);
    } catch (error) {
      return this.#refuse(error);
    }
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Message, undefined>>();
    this.#waiter = { resolve, reject };
    this.#stream.resume();
    return promise;
  }

  #serve(waiter: Waiter): void {
    try {
      const result = this.#advance();
      if (result === undefined) return;
      this.#waiter = undefined;
      if (result instanceof Promise) {
        result.then(waiter.resolve, (error: unknown) => {
          this.#failure ??= { error };
          waiter.reject(this.#failure.error);
        });
      } else waiter.resolve(result);
    } catch (error) {
      this.fail(error);
    }
  }

  // oxlint-disable-next-line typescript/require-await -- what it throws is to be a rejection
  async #refuse(error: unknown): Promise<never> {
    this.#failure ??= { error };
    throw this.#failure.error;
  }

  #advance(): Promise<IteratorResult<Message, undefined>> | IteratorResult<Message, undefined> | undefined {
    if (this.#isCancelled) this.#failure ??= { error: new CancelledError() };
    if (this.#failure !== undefined) throw this.#failure.error;
    const wire = this.#frames.next();
    if (wire !== undefined) return this.#read(wire);
    if (!this.#hasEnded) return undefined;
    if (!this.#frames.isEmpty) throw new MalformedMessageError('the request ends in the middle of a message');
    return endOfMessages;
  }

  #read(wire: WireMessage): Promise<IteratorResult<Message, undefined>> | IteratorResult<Message, undefined> {
    const message = decode(wire, this.#format);
    if (message instanceof Promise) return message.then((value) => ({ done: false, value }));
    return { done: false, value: message };
  }
}

/** Collects the one message of a unary or server-streaming request that does not come in one piece. */
export class SingleRequestReader {
  readonly #frames: MessageReader;
  #message: WireMessage | undefined;

  constructor(maxBytes: number) {
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

  /** Called at the end of the request. @throws RookeryError it is not one message */
  message(): WireMessage {
    if (!this.#frames.isEmpty) throw new MalformedMessageError('the request ends in the middle of a message');
    if (this.#message === undefined) throw new MessageCountError('none');
    return this.#message;
  }
}

/**
 * The message in `wire`. A promise only where there is something to decompress.
 *
 * @throws RookeryError it cannot be read
 */
export function decode(wire: WireMessage, format: RequestFormat): Message | Promise<Message> {
  const { bytes, start, end } = wire;
  if (!wire.isCompressed) return parse(format, bytes, start, end);
  if (format.encoding === undefined) throw new UnexpectedCompressionError();
  return unpack(format, format.encoding, bytes.subarray(start, end));
}

function unpack(format: RequestFormat, encoding: Encoding, packed: Uint8Array): Promise<Message> {
  const { maxBytes, stream } = format;
  const { account, peer } = stream;
  const checkEnd = (): void => {
    if (format.isEnded) throw new CancelledError();
  };
  return decompressionTurns.run(
    { connection: `${peer.address} ${peer.port}`, account, maxBytes },
    async () => {
      checkEnd();
      return await decompress(encoding, packed, maxBytes);
    },
    (data) => {
      checkEnd();
      return parse(format, data, 0, data.length);
    },
  );
}

function parse({ method, limits, maxUnknownFields }: RequestFormat, bytes: Uint8Array, start: number, end: number) {
  try {
    return method.input.decode(bytes, start, end, limits, maxUnknownFields);
  } catch (cause) {
    if (RookeryError.is(cause)) throw cause;
    // The decoder's own words would not help a caller: they speak of offsets and wire types.
    throw new MalformedMessageError(`not a valid ${method.desc.input.typeName}`, { cause });
  }
}
