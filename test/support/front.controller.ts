import { Controller, Post } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import { FrontCalls } from './front-calls.js';
import { TrialService } from './trial-proto.js';
import { TrialInput } from './trial.dto.js';

/** Handlers that call other services, and let through what comes of it. */
@Controller('front')
@GrpcService(TrialService)
@Public()
export class FrontController {
  readonly #calls: FrontCalls;

  constructor(calls: FrontCalls) {
    this.#calls = calls;
  }

  @Post()
  @Rpc()
  fail(@Input() { mode }: TrialInput): Promise<unknown> {
    return this.#calls.as(mode);
  }

  @Rpc()
  async *failStream(@Input() { mode }: TrialInput): AsyncGenerator<object> {
    yield { text: 'before' };
    await this.#calls.as(mode);
  }

  @Rpc()
  async failUpload(@Input(TrialInput) requests: AsyncIterable<TrialInput>): Promise<object> {
    for await (const { mode } of requests) await this.#calls.as(mode);
    return {};
  }

  @Rpc()
  async *failChat(@Input(TrialInput) requests: AsyncIterable<TrialInput>): AsyncGenerator<object> {
    for await (const { mode } of requests) {
      await this.#calls.as(mode);
      yield { text: 'after' };
    }
  }
}
