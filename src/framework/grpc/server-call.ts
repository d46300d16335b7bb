import type { Message } from '@bufbuild/protobuf';
import { ErrorCode, type HeaderField } from '../http2/index.js';
import { CancelledError, type RequestContext, runInContext, Status } from '../core/index.js';
import type { Failure, Outcome } from '../pipeline/index.js';
import type { CallEnvironment } from './call-environment.js';
import { type Encoding, isEncoding, negotiate } from './compression.js';
import { frameOf } from './frame.js';
import { type CallFailure, failureOf } from './handler-failure.js';
import type { Metadata } from './metadata.js';
import { answeredByHandler, type BoundMethod } from './method-table.js';
import { RequestReader, SingleRequestReader } from './request-reader.js';
import { encode, ResponseWriter } from './response-writer.js';
import { deliver, isThenable, type ResultSink } from './result-pump.js';
import { type CallBase, CallHandle } from './rpc-call.js';
import type { OutgoingFields, RequestHead, ServerStream, StreamListener } from './server-stream.js';
import { answerHeaders, failureTrailers, okTrailers } from './status-trailers.js';

// Time for a caller to read what came before the status, once the deadline has passed.
const lateStatusMs = 1000;

const answered: Outcome = { status: Status.Ok, httpStatus: 200, reason: undefined };
const outcomeOf = ({ status, reason }: Failure): Outcome => ({ status, httpStatus: 200, reason });

/** Serves one call; what it returns is the answer. */
export type Invoke = BoundMethod<ServerCall>['invoke'];

/**
 * One call from its first header to its status: reads the request, runs the handler inside the request context, sends
 * what it gives, and sees that every way to the end (answer, error, deadline, a caller that went away) is taken once.
 */
export class ServerCall implements StreamListener, ResultSink, CallBase {
  readonly context: RequestContext;
  readonly head: RequestHead;
  readonly stream: ServerStream;
  readonly handle = new CallHandle(this);
  readonly #environment: CallEnvironment;
  #method: BoundMethod<ServerCall> | undefined;
  #single: SingleRequestReader | undefined;
  #requests: RequestReader | undefined;
  #writer: ResponseWriter | undefined;
  #areHeadersSent = false;
  #isEnded = false;
  #release: (() => void) | undefined;
  // How the call was answered, while the last of the answer waits to be read.
  #unsettled: Outcome | undefined;
  #lingering: NodeJS.Timeout | undefined;

  constructor(environment: CallEnvironment, stream: ServerStream, head: RequestHead, context: RequestContext) {
    this.#environment = environment;
    this.stream = stream;
    this.head = head;
    this.context = context;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Answers without asking any handler. */
  refuse(error: unknown, status?: HeaderField, headers?: OutgoingFields): void {
    this.stream.listen(this);
    this.#finish(failureOf(error), status, headers);
  }

  serve(method: BoundMethod<ServerCall>): void {
    this.#method = method;
    this.context.deadline.onFire((reason) => {
      this.#writer?.discard();
      if (this.#unsettled === undefined) this.fail(reason);
      else this.#breakOff(reason);
    });
    if (method.givesStream) this.context.backpressure = () => this.drained();
    const encoding = this.context.header('grpc-encoding');
    const compression = encoding !== undefined && isEncoding(encoding) ? encoding : undefined;
    const { maxBodyBytes } = this.#environment.limits.value;
    if (method.takesStream) {
      this.#requests = new RequestReader(this.stream, method.desc.input, compression, maxBodyBytes);
      this.stream.listen(this);
      this.#invoke();
    } else {
      this.#single = new SingleRequestReader(method.desc.input, compression, maxBodyBytes);
      this.stream.listen(this);
    }
  }

  /** The next message of a streamed request. */
  nextRequest(): Promise<IteratorResult<Message, undefined>> {
    return (this.#requests as RequestReader).next();
  }

  onData(chunk: Uint8Array): void {
    if (this.#isEnded) return;
    if (this.#requests !== undefined) {
      this.#requests.onData(chunk);
      return;
    }
    try {
      this.#single?.onData(chunk);
    } catch (error) {
      this.#reject(error);
    }
  }

  onEnd(): void {
    if (this.#isEnded) return;
    if (this.#requests !== undefined) {
      // Clients on Node cancel by ending the stream and then resetting it. Where both arrive together the reset gets its
      // turn first, so that what was cancelled does not look like a complete upload.
      setImmediate(() => this.#requests?.onEnd());
      return;
    }
    try {
      const message = (this.#single as SingleRequestReader).message();
      if (message instanceof Promise)
        message.then(
          (value) => this.#accept(value),
          (error: unknown) => this.#reject(error),
        );
      else this.#accept(message);
    } catch (error) {
      this.#reject(error);
    }
  }

  onDrain(): void {
    this.#writer?.onDrain();
  }

  onClose(): void {
    if (this.#isEnded) {
      if (this.#unsettled !== undefined) this.#leave(this.#unsettled);
      this.#releaseResult();
      return;
    }
    this.#isEnded = true;
    this.#writer?.discard();
    this.context.deadline.cancel();
    this.#releaseResult();
    this.#requests?.fail(new CancelledError());
    this.#leave({ status: Status.Cancelled, httpStatus: 499, reason: CancelledError.reason });
  }

  /** Sends the response headers, once. */
  sendHeaders(metadata: Metadata | undefined): void {
    if (this.#areHeadersSent || this.#isEnded) return;
    const headers = answerHeaders(this.context);
    const encoding = this.#answerEncoding();
    if (encoding !== undefined) headers.push({ name: 'grpc-encoding', value: encoding });
    metadata?.writeTo(headers);
    this.stream.respond(headers);
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
      this.#responses().finish(okTrailers(this.handle.trailersIfAny));
      this.#settle(answered);
      this.#requests?.fail(new CancelledError());
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
      if (this.#answerEncoding() !== undefined) {
        this.write(value);
        this.complete();
        return;
      }
      const { desc } = this.#method as BoundMethod<ServerCall>;
      const message = encode(desc.output, value, this.#environment.options.value.maxSendBytes);
      this.sendHeaders(undefined);
      this.#isEnded = true;
      this.stream.end(okTrailers(this.handle.trailersIfAny), frameOf(message, false));
      this.#settle(answered);
      this.#requests?.fail(new CancelledError());
    } catch (error) {
      this.#failAfterAll(error);
    }
  }

  /** Ends the call with the status of `error`. Once the call has ended, nothing happens. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    const failure = failureOf(error);
    this.#environment.gate.report(this.context, error, failure);
    this.#finish(failure);
  }

  // Trailers that HTTP/2 cannot carry are refused before anything of them is sent: the call can still end otherwise.
  #failAfterAll(error: unknown): void {
    this.#isEnded = false;
    this.handle.dropTrailers();
    this.fail(error);
  }

  onRelease(release: () => void): void {
    if (this.#isEnded) release();
    else this.#release = release;
  }

  // The caller's own doing, whatever the status says: nobody has to look into it.
  #reject(error: unknown): void {
    if (!this.#isEnded) this.#finish(failureOf(error));
  }

  #accept(message: Message): void {
    if (this.#isEnded) return;
    this.handle.request = message;
    this.#invoke();
  }

  #invoke(): void {
    runInContext(this.context, () => {
      try {
        this.#take((this.#method as BoundMethod<ServerCall>).invoke(this));
      } catch (error) {
        this.fail(error);
      }
    });
  }

  #take(result: unknown): void {
    if (isThenable(result)) {
      result.then(
        (value) => this.#take(value),
        (error: unknown) => this.fail(error),
      );
      return;
    }
    if (!this.#isEnded && result !== answeredByHandler) deliver(result, this.#method as BoundMethod<ServerCall>, this);
  }

  #finish(failure: CallFailure, status?: HeaderField, headers: OutgoingFields = []): void {
    this.#isEnded = true;
    const { domain, options } = this.#environment;
    const told = options.value.errorDetails ? failure : { details: [], ...failure };
    const trailers = failureTrailers(told, this.context.requestId, domain, this.handle.trailersIfAny);
    if (this.#areHeadersSent) {
      this.#responses().finish(trailers);
      this.#settle(outcomeOf(failure));
    } else {
      // Headers alone are not held back by flow control.
      this.stream.respondOnly([...answerHeaders(this.context, status), ...headers, ...trailers]);
      this.#leave(outcomeOf(failure));
    }
    this.#releaseResult();
    this.#requests?.fail(this.context.deadline.reason ?? new CancelledError());
  }

  // An answer may lie unread here or in the engine: the call is over when its stream is, or else at its deadline.
  #settle(outcome: Outcome): void {
    if (this.stream.isClosed) {
      this.#leave(outcome);
      return;
    }
    this.#unsettled = outcome;
    const { reason } = this.context.deadline;
    if (reason === undefined) return;
    if (this.#writer?.isPending === true) this.#breakOff(reason);
    else this.#lingering = setTimeout(() => this.#breakOff(reason), lateStatusMs);
  }

  #breakOff(error: unknown): void {
    this.#leave(outcomeOf(failureOf(error)));
    this.stream.reset(ErrorCode.cancel);
  }

  #leave(outcome: Outcome): void {
    this.#unsettled = undefined;
    clearTimeout(this.#lingering);
    this.#environment.gate.leave(this.context, outcome);
    this.#environment.onEnd(this);
  }

  #releaseResult(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #responses(): ResponseWriter {
    this.#writer ??= new ResponseWriter(
      this.stream,
      (this.#method as BoundMethod<ServerCall>).desc.output,
      this.#environment.options.value,
      this.#answerEncoding(),
    );
    return this.#writer;
  }

  #answerEncoding(): Encoding | undefined {
    return negotiate(this.#environment.options.value.compression, this.context.header('grpc-accept-encoding'));
  }
}
