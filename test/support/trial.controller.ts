import { Controller, Get, Post } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { currentContext, currentSignal } from 'rookery/core';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import { failAs } from './trial-failures.js';
import { TrialService } from './trial-proto.js';
import { TrialState } from './trial-state.js';
import { OrderInput, ReplyInput, TrialInput } from './trial.dto.js';

interface Reply {
  readonly text: string;
  readonly number?: number;
  readonly data?: Uint8Array;
}

/** Handlers that do what real ones should not, and show what real ones hide. */
@Controller('trial')
@GrpcService(TrialService)
@Public()
export class TrialController {
  readonly #state: TrialState;

  constructor(state: TrialState) {
    this.#state = state;
  }

  @Post('orders')
  @Rpc()
  placeOrder(@Input() order: OrderInput): OrderInput {
    return order;
  }

  /** Takes the message as it is, and tells how much is in it. */
  @Rpc()
  weigh(bulk: { numbers: unknown[]; labels: object; blobs: unknown[] }): Reply {
    return { text: '', number: bulk.numbers.length + Object.keys(bulk.labels).length + bulk.blobs.length };
  }

  /** Tells what the handler sees of its context. */
  @Get('context')
  @Rpc()
  inspect(@Input() { mode }: TrialInput): Reply {
    const context = currentContext();
    const seen = {
      requestId: context?.requestId,
      traceId: context?.trace.traceId,
      peer: context?.peer,
      remainingMs: context?.deadline.remainingMs(),
      header: mode === '' ? undefined : context?.header(mode),
    };
    return { text: JSON.stringify(seen) };
  }

  @Post('fail')
  @Rpc()
  fail(@Input() { mode }: TrialInput): Promise<Reply> {
    this.#state.noteAbort(currentSignal());
    const failing = failAs(mode);
    this.#state.tell('waiting');
    return failing;
  }

  /** Sends `count` messages, then fails. */
  @Rpc()
  async *failStream(@Input() { mode, count }: TrialInput): AsyncGenerator<Reply> {
    this.#state.noteAbort(currentSignal());
    for (let number = 1; number <= count; number += 1) yield { text: 'before', number };
    this.#state.tell('waiting');
    await failAs(mode);
  }

  /** Fails at the first message. */
  @Rpc()
  async failUpload(@Input(TrialInput) requests: AsyncIterable<TrialInput>): Promise<Reply> {
    this.#state.noteAbort(currentSignal());
    for await (const { mode } of requests) {
      this.#state.tell('waiting');
      await failAs(mode);
    }
    return { text: 'nothing came' };
  }

  /** Answers messages of mode `ok`, fails at another. */
  @Rpc()
  async *failChat(@Input(TrialInput) requests: AsyncIterable<TrialInput>): AsyncGenerator<Reply> {
    this.#state.noteAbort(currentSignal());
    for await (const { mode, count } of requests) {
      if (mode === 'ok') yield { text: 'ok', number: count };
      else {
        this.#state.tell('waiting');
        await failAs(mode);
      }
    }
  }

  /** Sends `count` messages of `size` bytes as fast as they are taken. */
  @Rpc()
  async *produce(@Input() { count, size }: TrialInput): AsyncGenerator<Reply> {
    const data = Buffer.alloc(size, 7);
    for (let number = 1; number <= count; number += 1) {
      this.#state.produced = number;
      this.#state.tell('produced');
      yield { text: '', number, data };
    }
  }

  /** Takes the first message, and the others only once the gate is open. */
  @Rpc()
  async consume(@Input(ReplyInput) messages: AsyncIterable<ReplyInput>): Promise<Reply> {
    let bytes = 0;
    for await (const { data } of messages) {
      this.#state.consumed += 1;
      bytes += data?.length ?? 0;
      this.#state.tell('consumed');
      if (this.#state.consumed === 1) await this.#state.gate;
    }
    return { text: String(bytes), number: this.#state.consumed };
  }

  @Rpc()
  async *echo(@Input(ReplyInput) messages: AsyncIterable<ReplyInput>): AsyncGenerator<Reply> {
    for await (const { text, number } of messages) {
      this.#state.consumed += 1;
      yield { text, number };
    }
  }
}
