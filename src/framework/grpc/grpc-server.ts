import type { DescMethod, DescService } from '@bufbuild/protobuf';
import {
  DeadlineExceededError,
  DrainingError,
  type Exposure,
  type HealthSource,
  type Lifecycle,
  type Live,
  mediaTypeOf,
  type OperatorAccess,
  parseGrpcTimeout,
  type RequestContext,
} from '../core/index.js';
import type { HeaderField } from '../http2/index.js';
import type { LimitOptions, RequestGate } from '../pipeline/index.js';
import type { CallEnvironment } from './call-environment.js';
import { acceptedEncodings, isEncoding } from './compression.js';
import type { GrpcOptions } from './grpc.options.js';
import {
  MalformedTimeoutError,
  NotPostError,
  ReflectionClosedError,
  UnsupportedCodecError,
  UnsupportedEncodingError,
} from './grpc.errors.js';
import { bindHealth } from './health-service.js';
import { type BindOptions, type BoundMethod, MethodTable } from './method-table.js';
import { bindReflection } from './reflection-service.js';
import { type Invoke, ServerCall } from './server-call.js';
import type { RequestHead, ServerStream } from './server-stream.js';

function isProtobuf(contentType: string): boolean {
  if (contentType === 'application/grpc' || contentType === 'application/grpc+proto') return true;
  const name = mediaTypeOf(contentType)?.name;
  return name === 'application/grpc' || name === 'application/grpc+proto';
}

const badRequest: HeaderField = { name: ':status', value: '400' };

/** What the gRPC side is built from. */
export interface GrpcServerInit {
  readonly gate: RequestGate;
  readonly lifecycle: Lifecycle;
  readonly limits: Live<LimitOptions>;
  readonly options: Live<GrpcOptions>;
  /** Answers `grpc.health.v1`; without one, that service is not served. */
  readonly health?: HealthSource | undefined;
  /** `ErrorInfo.domain` of failures: the name of the application. */
  readonly domain: string;
  /** Instead of `grpc.reflection`. */
  readonly reflection?: Exposure | undefined;
  /** The services that reflection describes; those that are served here by default. */
  readonly described?: (() => readonly DescService[]) | undefined;
  /** Admits callers of reflection where it wants a token; without it reflection then admits no caller. */
  readonly access?: OperatorAccess | undefined;
  /** Whether the caller of the current call may list services by `Health/List`; by default every caller may. */
  readonly showsServices?: (() => boolean | Promise<boolean>) | undefined;
}

/**
 * The gRPC protocol on HTTP/2 streams that somebody else accepts: hand in each stream for whose content type `handles()`
 * is true. It opens no port and holds no connection.
 */
export class GrpcServer {
  readonly #methods = new MethodTable<ServerCall>();
  readonly #environment: CallEnvironment;
  #activeCalls = 0;
  readonly #closeListeners = new Set<() => void>();
  #isClosed = false;
  #isEndingWatches = false;

  constructor(init: GrpcServerInit) {
    const { gate, lifecycle, limits, options, health, domain } = init;
    this.#environment = { gate, limits, options, domain, onEnd: () => (this.#activeCalls -= 1) };
    if (health !== undefined) {
      const showsServices = init.showsServices ?? (() => true);
      bindHealth(this.#methods, health, { showsServices, onClose: (listener) => this.#onClose(listener) });
    }
    lifecycle.onChange(() => {
      if (lifecycle.isDraining) this.#endWatches();
    });
    this.#bindReflection(init);
  }

  #bindReflection({ options, reflection = options.value.reflection, described, access }: GrpcServerInit): void {
    if (reflection === 'off') return;
    bindReflection(this.#methods, {
      options,
      services: described ?? (() => this.services),
      admit: reflection === 'open' ? undefined : () => admitReflection(access),
    });
  }

  /** Calls that have begun and are not wholly answered. */
  get activeCalls(): number {
    return this.#activeCalls;
  }

  /** The services that have a handler, the built-in ones among them. */
  get services(): readonly DescService[] {
    return this.#methods.services;
  }

  /** Whether a request of this content type is gRPC; gRPC-Web is not. */
  handles(contentType: string | undefined): boolean {
    if (contentType === undefined || !contentType.startsWith('application/grpc')) return false;
    const next = contentType[16];
    return next === undefined || next === '+' || next === ';';
  }

  /** The operation served at a path, such as `user.service.v1.UserService/GetUser`. */
  operationAt(path: string): string | undefined {
    return this.#methods.find(path)?.operation;
  }

  /**
   * Has `invoke` serve `method`.
   *
   * @throws RpcBindingError it is served already
   */
  bind(method: DescMethod, invoke: Invoke, options?: BindOptions): void {
    this.#methods.bind(method, invoke, options);
  }

  /** Serves one stream of any engine. */
  serve(stream: ServerStream, head: RequestHead): void {
    const method = this.#methods.find(head.path);
    const timeout = head.headers.get('grpc-timeout');
    const timeoutMs = timeout === undefined ? undefined : parseGrpcTimeout(timeout);
    const call = this.#open(stream, head, method, timeoutMs);
    if (timeout !== undefined && timeoutMs === undefined) call.refuse(new MalformedTimeoutError(timeout), badRequest);
    else this.#dispatch(call, method);
  }

  /** Answers one stream with the status of `error`, without asking any handler. It counts and is logged like all others. */
  refuse(stream: ServerStream, head: RequestHead, error: Error): void {
    this.#open(stream, head, this.#methods.find(head.path), undefined).refuse(error);
  }

  /** Refuses new calls. Those that never end by themselves, health watches, end when the process begins to drain. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#endWatches();
  }

  #open(
    stream: ServerStream,
    head: RequestHead,
    method: BoundMethod<ServerCall> | undefined,
    timeoutMs: number | undefined,
  ): ServerCall {
    const { gate } = this.#environment;
    const { headers } = head;
    const context = gate.enter({
      face: 'grpc',
      // Not the path of an unknown method: strangers would make up as many operations as they like.
      operation: method === undefined ? '(no rpc)' : method.operation,
      peer: stream.peer.address,
      account: stream.account,
      header: (name) => headers.get(name),
      timeoutMs,
      isStream: method !== undefined && (method.takesStream || method.givesStream),
      isProbe: method !== undefined && method.isProbe,
    });
    if (method?.timeoutMs !== undefined) context.deadline.adjust(method.timeoutMs);
    const call = new ServerCall(this.#environment, stream, head, context, method);
    this.#activeCalls += 1;
    return call;
  }

  #dispatch(call: ServerCall, method: BoundMethod<ServerCall> | undefined): void {
    const { head, context } = call;
    if (head.method !== 'POST') {
      call.refuse(new NotPostError(head.method), { name: ':status', value: '405' }, [{ name: 'allow', value: 'POST' }]);
      return;
    }
    const contentType = context.header('content-type') ?? '';
    if (!isProtobuf(contentType)) {
      call.refuse(new UnsupportedCodecError(contentType));
      return;
    }
    const { deadline } = context;
    // Nobody is asked in vain; deadlines are told with a clock of 1 ms. grpc-go 1.85, http2_server.go: "Early abort".
    if (deadline.timeoutMs < 1 && deadline.remainingMs() === 0) {
      call.refuse(new DeadlineExceededError(deadline.timeoutMs, 'client'));
      return;
    }
    if (method === undefined) {
      call.refuse(this.#methods.explain(head.path));
      return;
    }
    const encoding = context.header('grpc-encoding') ?? 'identity';
    if (encoding !== 'identity' && !isEncoding(encoding)) {
      call.refuse(new UnsupportedEncodingError(encoding, acceptedEncodings));
      return;
    }
    const refusal = this.#refusal(context);
    if (refusal === undefined) call.serve(encoding === 'identity' ? undefined : encoding);
    else call.refuse(refusal);
  }

  // A call without a message is not whole: that all of it has come shows when it is read.
  #refusal(context: RequestContext): Error | undefined {
    if (this.#isClosed && !context.isProbe) return new DrainingError();
    return this.#environment.gate.admit(context, false);
  }

  #endWatches(): void {
    this.#isEndingWatches = true;
    for (const listener of [...this.#closeListeners]) listener();
  }

  #onClose(listener: () => void): () => void {
    if (this.#isEndingWatches) listener();
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }
}

function admitReflection(access: OperatorAccess | undefined): boolean | Promise<boolean> {
  if (access === undefined) throw new ReflectionClosedError();
  return access.admitOperator('docs:read');
}
