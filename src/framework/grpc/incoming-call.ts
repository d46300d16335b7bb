import type { Message } from '@bufbuild/protobuf';
import type { RequestContext, RookeryError } from '../core/index.js';
import { readClock, stepClock } from '../wire/index.js';
import type { CallEnvironment } from './call-environment.js';
import { type DecodeLimits, unlimited } from './codec/work-budget.js';
import { type Encoding, responseEncoding } from './compression.js';
import { isOneMessage, messageIn, type WireMessage } from './frame.js';
import { MessageCountError } from './grpc.errors.js';
import type { GrpcOptions } from './grpc.options.js';
import { messageTurn } from './message-turns.js';
import type { BoundMethod, UnknownFieldUse } from './method-table.js';
import { decode, type RequestFormat, RequestReader, SingleRequestReader } from './request-reader.js';
import { CallHandle } from './rpc-call.js';
import type { RequestHead, ServerStream, StreamListener } from './server-stream.js';

const ignore = (): void => {};

/** For a stream of which nothing more is of interest. */
export const deaf: StreamListener = { onData: ignore, onEnd: ignore, onDrain: ignore, onClose: ignore };

// Of most requests no more waits; it is bounded by their number.
const smallBytes = 1024;

// A message with some is refused, and as many are named.
const maxNamedFields = 32;

function keptUnknownFields(kept: UnknownFieldUse, policy: GrpcOptions['unknownFields']): number {
  if (kept === 'passed') return Number.POSITIVE_INFINITY;
  return kept === 'checked' && policy === 'refuse' ? maxNamedFields : 0;
}

/** The half of a call that reads: what comes over the stream becomes one message, or messages that are pulled. */
export abstract class IncomingCall extends CallHandle implements RequestFormat {
  encoding: Encoding | undefined = undefined;
  maxBytes = 0;
  limits: DecodeLimits = unlimited;
  maxUnknownFields = 0;
  protected readonly environment: CallEnvironment;
  // The request: one packet that is one message, as nearly every unary request is, or else a reader.
  #packet: Uint8Array | undefined;
  #single: SingleRequestReader | undefined;
  #requests: RequestReader | undefined;
  #receivedBytes = 0;
  #keptBytes = 0;

  constructor(environment: CallEnvironment, stream: ServerStream, head: RequestHead, context: RequestContext) {
    super(stream, head, context);
    this.environment = environment;
  }

  abstract get method(): Pick<BoundMethod<never>, 'desc' | 'input'>;
  abstract get isEnded(): boolean;

  /** The request has one message, and that has not come whole. */
  protected get isIncomplete(): boolean {
    return this.#requests === undefined && this.request === undefined;
  }

  /** @param encoding of the request messages that are compressed */
  protected expect(encoding: Encoding | undefined, unknownFields: UnknownFieldUse): void {
    const { limits, options } = this.environment;
    this.encoding = encoding;
    this.limits = limits.value;
    this.maxBytes = limits.value.maxBodyBytes;
    this.maxUnknownFields = keptUnknownFields(unknownFields, options.value.unknownFields);
  }

  protected get responseEncoding(): Encoding | undefined {
    return responseEncoding(this.environment.options.value, this.context);
  }

  /** The request is whole. Returns why it cannot be worked on, if it cannot. */
  protected begin(message: Message): RookeryError | undefined {
    this.request = message;
    // A compressed message may come out within a step of another connection.
    this.context.receivedAtMs = this.encoding === undefined ? stepClock() : readClock();
    return this.environment.gate.begin(this.context);
  }

  /** The response is given, and only the client's reading is left. */
  protected settle(): void {
    this.context.answeredAtMs = readClock();
    this.environment.gate.settle(this.context);
  }

  /** The one message of a request that has one. */
  protected abstract accept(message: Message): void;
  /** The request is not what it should be. */
  protected abstract reject(error: unknown): void;

  /** The request is a stream of messages, for `nextRequest`. */
  protected expectStream(): void {
    this.#requests = new RequestReader(this.stream, this);
  }

  /** The next message of a streamed request. */
  nextRequest(): Promise<IteratorResult<Message, undefined>> {
    const turn = messageTurn();
    return turn === undefined ? this.#next() : turn.then(() => this.#next());
  }

  #next(): Promise<IteratorResult<Message, undefined>> {
    const requests = this.#requests as RequestReader;
    const next = requests.next();
    this.#keep(requests.waitingBytes);
    return next;
  }

  /** The call is over: whoever waits for a message, now or later, gets `reason`, or is told of a cancellation. */
  protected stopRequests(reason?: Error): void {
    if (reason === undefined) this.#requests?.cancel();
    else this.#requests?.fail(reason);
  }

  onData(chunk: Uint8Array): void {
    if (this.isEnded) return;
    if (this.#requests !== undefined) {
      this.#requests.onData(chunk);
      this.#keep(this.#requests.waitingBytes);
    } else if (!this.#keep((this.#receivedBytes += chunk.length))) return;
    else if (this.#packet === undefined && this.#single === undefined && isOneMessage(chunk, this.maxBytes))
      this.#packet = chunk;
    else this.#collect(chunk);
  }

  onEnd(): void {
    if (this.isEnded) return;
    if (this.#requests !== undefined) {
      // Clients on Node cancel by ending the stream and then resetting it. Where both arrive together the reset gets its
      // turn first, so that what was cancelled does not look like a complete upload.
      setImmediate(() => this.#requests?.onEnd());
      return;
    }
    try {
      const message = decode(this.#wireMessage(), this);
      if (message instanceof Promise)
        message.then(
          (value) => this.accept(value),
          (error: unknown) => this.reject(error),
        );
      else this.accept(message);
    } catch (error) {
      this.reject(error);
    }
  }

  onMalformed(error: Error): void {
    this.reject(error);
  }

  /** So many bytes of the request wait here. False: there is no room for them, and the call has ended. */
  #keep(bytes: number): boolean {
    if (bytes === this.#keptBytes || (this.#keptBytes === 0 && bytes <= smallBytes)) return true;
    const refusal = this.environment.gate.keep(this.context, bytes - this.#keptBytes);
    this.#keptBytes = bytes;
    if (refusal !== undefined) this.reject(refusal);
    return refusal === undefined;
  }

  // Not one message in one packet: in parts, too many, too large, or not as they should be.
  #collect(chunk: Uint8Array): void {
    try {
      if (this.#single === undefined) {
        this.#single = new SingleRequestReader(this.maxBytes);
        if (this.#packet !== undefined) this.#single.onData(this.#packet);
      }
      this.#single.onData(chunk);
    } catch (error) {
      this.reject(error);
    }
  }

  #wireMessage(): WireMessage {
    if (this.#single !== undefined) return this.#single.message();
    if (this.#packet === undefined) throw new MessageCountError('none');
    return messageIn(this.#packet);
  }
}
