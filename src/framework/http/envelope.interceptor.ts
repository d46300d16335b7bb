import { Readable } from 'node:stream';
import { create, type DescMessage, type DescMethod, toJson } from '@bufbuild/protobuf';
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  StreamableFile,
} from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Observable } from 'rxjs';
import { currentContext, type Live, metadataKeys, onlyOnFace } from '../core/index.js';
import { LIMIT_OPTIONS, type LimitOptions } from '../pipeline/index.js';
import { successEnvelope } from './envelope.js';

interface Plan {
  readonly isRaw: boolean;
  readonly isSse: boolean;
  /** The handler states a time limit of its own. */
  readonly hasTimeout: boolean;
  /** The RPC's answer type, where the handler implements an RPC. */
  readonly output: DescMessage | undefined;
}

// Nest marks `@Sse()` handlers with this key.
const sseMetadata = '__sse__';

/**
 * Wraps what HTTP handlers return as `{code, data, message}` and lets the request's deadline end a handler that does
 * not end by itself. Other faces pass through.
 */
@Injectable()
export class EnvelopeInterceptor implements NestInterceptor {
  readonly #plans = new WeakMap<object, Plan>();

  readonly #limits: Live<LimitOptions>;

  constructor(@Inject(LIMIT_OPTIONS) limits: Live<LimitOptions>) {
    this.#limits = limits;
  }

  get [onlyOnFace](): 'http' {
    return 'http';
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const plan = this.#planOf(context);
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    if (plan.isSse) this.#allowStream(plan);
    return new Observable((subscriber) => {
      const forget = currentContext()?.deadline.onFire((reason) => subscriber.error(reason));
      const subscription = next.handle().subscribe({
        next: (value) => {
          if (isStream(value)) this.#allowStream(plan);
          subscriber.next(wrap(plan, reply, value));
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      return () => {
        forget?.();
        subscription.unsubscribe();
      };
    });
  }

  // A stream lasts longer than an answer; what the handler or the caller says of the time goes before.
  #allowStream(plan: Plan): void {
    if (!plan.hasTimeout) currentContext()?.deadline.adjust(this.#limits.value.streamTimeoutMs);
  }

  #planOf(context: ExecutionContext): Plan {
    const handler = context.getHandler();
    let plan = this.#plans.get(handler);
    if (plan === undefined) {
      const read = (key: string): unknown =>
        Reflect.getMetadata(key, handler) ?? (Reflect.getMetadata(key, context.getClass()) as unknown);
      const rpc = Reflect.getMetadata(metadataKeys.rpc, handler) as DescMethod | undefined;
      const isSse = read(sseMetadata) === true;
      plan = {
        isRaw: isSse || read(metadataKeys.raw) === true,
        isSse,
        hasTimeout: read(metadataKeys.timeout) !== undefined,
        output: rpc?.output,
      };
      this.#plans.set(handler, plan);
    }
    return plan;
  }
}

function wrap(plan: Plan, reply: FastifyReply, value: unknown): unknown {
  if (value instanceof StreamableFile || reply.sent) return value;
  if (isAsyncIterable(value) && !(value instanceof Readable)) return ndjson(plan, value);
  if (plan.isRaw || value instanceof Readable) return value;
  return successEnvelope(reply.statusCode, value === undefined ? null : jsonOf(plan, value));
}

function jsonOf({ output }: Plan, value: unknown): unknown {
  if (output === undefined || typeof value !== 'object' || value === null) return value;
  const message = '$typeName' in value ? value : create(output, value as Record<string, unknown>);
  // A REST caller sees every field, also those at their zero value, which the wire leaves out.
  return toJson(output, message as Parameters<typeof toJson>[1], { alwaysEmitImplicit: true });
}

// One JSON value per line: a stream is never wrapped, its end tells that it is whole.
function ndjson(plan: Plan, values: AsyncIterable<unknown>): StreamableFile {
  async function* lines(): AsyncGenerator<string> {
    for await (const value of values) yield `${JSON.stringify(jsonOf(plan, value))}\n`;
  }
  return new StreamableFile(Readable.from(lines(), { objectMode: false }), { type: 'application/x-ndjson' });
}

function isStream(value: unknown): boolean {
  return value instanceof StreamableFile || isAsyncIterable(value);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
