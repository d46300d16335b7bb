import type { Message } from '@bufbuild/protobuf';
import { ErrorCode, type HeaderField, listBytes } from '../http2/index.js';
import {
  type DeadlineWatcher,
  DrainingError,
  enterContext,
  type FireReason,
  type RequestContext,
} from '../core/index.js';
import { recycleFrame } from './codec/frame-slab.js';
import type { Outcome } from '../pipeline/index.js';
import { answerBlock, answerHeaders } from './answer-headers.js';
import type { CallEnvironment } from './call-environment.js';
import { blamedOnClient, outcomeOf, outcomeOfClose, succeeded } from './call-outcome.js';
import type { Encoding } from './compression.js';
import { type CallFailure, failureOf } from './handler-failure.js';
import { deaf, IncomingCall } from './incoming-call.js';
import type { Metadata } from './metadata.js';
import { answeredByHandler, type BoundMethod } from './method-table.js';
import { encode, ResponseWriter } from './response-writer.js';
import { deliver, isThenable, type ResultSink } from './result-pump.js';
import type { CallHandle } from './rpc-call.js';
import type { OutgoingFields, RequestHead, ServerStream, StreamListener } from './server-stream.js';
import { failureTrailers, okTrailers } from './status-trailers.js';

// Time for a caller to read what came before the status, once the deadline has passed.
const lateStatusMs = 1000;

/** Serves one call; what it returns is the answer. */
export type Invoke = BoundMethod<ServerCall>['invoke'];

/**
 * One call from its first header to its status: reads the request, runs the handler inside the request context, sends
 * what it gives, and sees that every way to the end (answer, error, deadline, a caller that went away) is taken once.
 *
 * It is one object with what handlers see of it, as there is one for each request.
 */
export class ServerCall extends IncomingCall implements StreamListener, ResultSink, DeadlineWatcher {
  readonly #method: BoundMethod<ServerCall> | undefined;
  #writer: ResponseWriter | undefined;
  #areHeadersSent = false;
  #isEnded = false;
  #release: (() => void) | undefined;
  // How the call was answered, while the last of the answer waits to be read.
  #unsettled: Outcome | undefined;
  #lingering: NodeJS.Timeout | undefined;

  /** @param method `undefined`: all that can be done is to refuse the call */
  constructor(
    environment: CallEnvironment,
    stream: ServerStream,
    head: RequestHead,
    context: RequestContext,
    method: BoundMethod<ServerCall> | undefined,
  ) {
    super(environment, stream, head, context);
    this.#method = method;
  }

  /** What handlers see of the call. */
  get handle(): CallHandle {
    return this;
  }

  override get isEnded(): boolean {
    return this.#isEnded;
  }

  override get method(): BoundMethod<ServerCall> {
    return this.#method as BoundMethod<ServerCall>;
  }

  /** Answers without asking any handler. */
  refuse(error: unknown, status?: HeaderField, headers?: OutgoingFields): void {
    // Not to this call: what is there already, maybe all of the request, would be taken for one that is served.
    this.stream.listen(deaf);
    this.#finish(failureOf(error, this.context.deadline), status, headers);
  }

  serve(encoding: Encoding | undefined): void {
    const { method } = this;
    this.expect(encoding, method.unknownFields);
    this.context.deadline.watch(this);
    if (method.givesStream) this.context.backpressure = () => this.drained();
    if (method.takesStream) this.expectStream();
    this.stream.listen(this);
    if (method.takesStream) enterContext(this.context, ServerCall.#invoke, this);
  }

  /** The deadline has passed, or the caller is gone. */
  onFire(reason: FireReason): void {
    const isUnread = this.#unsettled !== undefined || this.#writer?.isPending === true;
    const told = isUnread || this.isIncomplete ? blamedOnClient(reason) : reason;
    this.#writer?.discard();
    if (this.#unsettled === undefined) this.fail(told);
    else this.#breakOff(told);
  }

  onDrain(): void {
    this.#writer?.onDrain();
  }

  /** The process stops waiting: a stream is told to go elsewhere, a unary call is cut short. */
  onShutdown(): boolean {
    if (this.#isEnded) return true;
    this.context.deadline.interrupt(new DrainingError());
    return this.method.takesStream || this.method.givesStream;
  }

  onClose(code: number): void {
    if (this.#isEnded) {
      if (this.#unsettled !== undefined) this.#leave(this.#unsettled);
      this.#releaseResult();
      return;
    }
    this.#isEnded = true;
    this.#writer?.discard();
    this.context.deadline.cancel();
    this.#releaseResult();
    this.stopRequests();
    this.#leave(outcomeOfClose(code));
  }

  override sendMetadata(metadata: Metadata): void {
    this.sendHeaders(metadata);
  }

  /** Sends the response headers, once. */
  sendHeaders(metadata: Metadata | undefined): void {
    if (this.#areHeadersSent || this.#isEnded) return;
    const encoding = this.responseEncoding;
    if (metadata === undefined) this.stream.respond(answerBlock(this.context, encoding));
    else {
      const headers = answerHeaders(this.context, encoding);
      metadata.writeTo(headers);
      this.stream.respond(headers);
    }
    this.#areHeadersSent = true;
  }

  write(value: unknown): void {
    if (this.#isEnded) return;
    this.sendHeaders(undefined);
    this.#responses().write(value);
  }

  drained(): Promise<void> | undefined {
    return this.#writer?.drained();
  }

  complete(): void {
    if (this.#isEnded) return;
    this.sendHeaders(undefined);
    try {
      this.#isEnded = true;
      this.#responses().finish(okTrailers(this.trailersIfAny));
      this.#settle(succeeded);
      this.stopRequests();
    } catch (error) {
      this.#failAfterAll(error);
    }
  }

  answer(value: unknown): void {
    if (this.#isEnded) return;
    if (isThenable(value)) {
      this.#take(value);
      return;
    }
    try {
      if (this.responseEncoding !== undefined) {
        this.write(value);
        this.complete();
        return;
      }
      const frame = encode(this.method, value, this.environment.options.value.maxSendBytes);
      this.sendHeaders(undefined);
      this.#isEnded = true;
      if (this.stream.end(okTrailers(this.trailersIfAny), frame)) recycleFrame(frame);
      this.#settle(succeeded);
      this.stopRequests();
    } catch (error) {
      this.#failAfterAll(error);
    }
  }

  /** Ends the call with the status of `error`. Once the call has ended, nothing happens. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    const failure = failureOf(error, this.context.deadline);
    this.environment.gate.report(this.context, error, failure);
    this.#finish(failure);
  }

  // Trailers that HTTP/2 cannot carry are refused before anything of them is sent: the call can still end otherwise.
  #failAfterAll(error: unknown): void {
    this.#isEnded = false;
    this.dropTrailers();
    this.fail(error);
  }

  onRelease(release: () => void): void {
    if (this.#isEnded) release();
    else this.#release = release;
  }

  // The caller's own doing, whatever the status says: nobody has to look into it.
  protected override reject(error: unknown): void {
    if (!this.#isEnded) this.#finish(failureOf(error, this.context.deadline));
  }

  protected override accept(message: Message): void {
    if (this.#isEnded) return;
    const refusal = this.begin(message);
    if (refusal === undefined) enterContext(this.context, ServerCall.#invoke, this);
    else this.reject(refusal);
  }

  static #invoke(this: void, call: ServerCall): void {
    try {
      call.#take(call.method.invoke(call));
    } catch (error) {
      call.fail(error);
    }
  }

  #take(result: unknown): void {
    if (isThenable(result)) {
      result.then(
        (value) => this.#take(value),
        (error: unknown) => this.fail(error),
      );
      return;
    }
    if (!this.#isEnded && result !== answeredByHandler) deliver(result, this.method, this);
  }

  #finish(failure: CallFailure, status?: HeaderField, headers: OutgoingFields = []): void {
    this.#isEnded = true;
    const { domain, options } = this.environment;
    const told = options.value.errorDetails ? failure : { details: [], ...failure };
    const head = this.#areHeadersSent ? [] : [...answerHeaders(this.context, undefined, status), ...headers];
    const room = this.stream.maxFieldsBytes - listBytes(head);
    const trailers = failureTrailers(told, this.context.requestId, domain, this.trailersIfAny, room);
    if (this.#areHeadersSent) {
      this.#responses().finish(trailers);
      this.#settle(outcomeOf(failure));
    } else {
      // Headers alone are not held back by flow control.
      this.stream.respondOnly([...head, ...trailers]);
      this.#leave(outcomeOf(failure));
    }
    this.#releaseResult();
    this.stopRequests(this.context.deadline.reason);
  }

  // An answer may lie unread here or in the engine: the call is over when its stream is, or else at its deadline.
  #settle(outcome: Outcome): void {
    if (this.stream.isClosed) {
      this.#leave(outcome);
      return;
    }
    this.#unsettled = outcome;
    this.settle();
    const { reason } = this.context.deadline;
    // At the end of the process, the port says how long that may take.
    if (reason === undefined || reason instanceof DrainingError) return;
    if (this.#writer?.isPending === true) this.#breakOff(reason);
    else this.#lingering = setTimeout(() => this.#breakOff(reason), lateStatusMs);
  }

  #breakOff(error: unknown): void {
    // The service has answered, and only the client's reading is left: a failure stays its own.
    const fault = this.#unsettled?.fault ?? 'client';
    this.#leave(outcomeOf({ ...failureOf(error, this.context.deadline), fault }));
    this.stream.reset(ErrorCode.cancel);
  }

  #leave(outcome: Outcome): void {
    this.#unsettled = undefined;
    if (this.#lingering !== undefined) clearTimeout(this.#lingering);
    this.environment.gate.leave(this.context, outcome);
    this.environment.onEnd();
  }

  #releaseResult(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #responses(): ResponseWriter {
    const { value: options } = this.environment.options;
    this.#writer ??= new ResponseWriter(this.stream, this.method, options, this.responseEncoding);
    return this.#writer;
  }
}
