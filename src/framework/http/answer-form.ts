import { Readable } from 'node:stream';
import type { DescMethod } from '@bufbuild/protobuf';
import { StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { currentContext, type Live, metadataKeys } from '../core/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import { answerJson } from './answer-json.js';
import { successEnvelope } from './envelope.js';

// Nest marks `@Sse()` handlers with this key, and those of which it takes an address or a page's values with the others.
const sseMetadata = '__sse__';
const redirectMetadata = '__redirect__';
const pageMetadata = '__renderTemplate__';

/** How one handler's answers look: wrapped in the envelope, or as they are. Made once per handler. */
export class AnswerForm {
  readonly isSse: boolean;
  readonly #isRaw: boolean;
  /** The handler states a time limit of its own. */
  readonly #hasTimeout: boolean;
  /** Writes the RPC's answer type, where the handler implements an RPC. */
  readonly #messageJson: ((value: object) => unknown) | undefined;
  readonly #limits: Live<LimitOptions>;

  constructor(controller: object, handler: object, limits: Live<LimitOptions>) {
    const read = (key: string): unknown =>
      Reflect.getMetadata(key, handler) ?? (Reflect.getMetadata(key, controller) as unknown);
    const rpc = Reflect.getMetadata(metadataKeys.rpc, handler) as DescMethod | undefined;
    this.isSse = read(sseMetadata) === true;
    const isForNest = [redirectMetadata, pageMetadata].some((key) => Reflect.hasMetadata(key, handler));
    this.#isRaw = this.isSse || isForNest || read(metadataKeys.raw) === true;
    this.#hasTimeout = read(metadataKeys.timeout) !== undefined;
    this.#messageJson = rpc === undefined ? undefined : answerJson(rpc.output);
    this.#limits = limits;
  }

  /** What is sent for what the handler returned. */
  of(value: unknown, reply: FastifyReply): unknown {
    if (isStream(value)) this.allowStream();
    if (value instanceof StreamableFile || reply.sent) return value;
    if (isAsyncIterable(value) && !(value instanceof Readable)) return this.#ndjson(value);
    if (this.#isRaw || value instanceof Readable) return value;
    return successEnvelope(reply.statusCode, value === undefined ? null : this.#jsonOf(value));
  }

  /** A stream lasts longer than an answer; what the handler or the caller says of the time goes before. */
  allowStream(): void {
    if (!this.#hasTimeout) currentContext()?.deadline.adjust(this.#limits.value.streamTimeoutMs);
  }

  #jsonOf(value: unknown): unknown {
    if (this.#messageJson === undefined || typeof value !== 'object' || value === null) return value;
    return this.#messageJson(value);
  }

  // One JSON value per line: a stream is never wrapped, its end tells that it is whole.
  #ndjson(values: AsyncIterable<unknown>): StreamableFile {
    const lines = async function* (this: AnswerForm): AsyncGenerator<string> {
      for await (const value of values) yield `${JSON.stringify(this.#jsonOf(value))}\n`;
    };
    return new StreamableFile(Readable.from(lines.call(this), { objectMode: false }), { type: 'application/x-ndjson' });
  }
}

function isStream(value: unknown): boolean {
  return value instanceof StreamableFile || isAsyncIterable(value);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
