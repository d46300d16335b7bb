import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller, Get } from '@nestjs/common';
import { Public } from 'rookery/auth';
import { Config } from 'rookery/config';
import type { Live } from 'rookery/core';
import { GrpcService, Rpc } from 'rookery/grpc';
import { type GreetingSchema, GreetingService } from '../../gen/greeting/service/v1/greeting_pb.js';
import { GreetingConfig } from './greeting.config.js';

/** The smallest thing that shows the configuration at work: a text that changes while the process runs. */
@Controller('api/v1/greeting')
@GrpcService(GreetingService)
export class GreetingController {
  readonly #greeting: Live<GreetingConfig>;

  constructor(@Config(GreetingConfig) greeting: Live<GreetingConfig>) {
    this.#greeting = greeting;
  }

  @Get()
  @Rpc()
  @Public()
  getGreeting(): MessageInitShape<typeof GreetingSchema> {
    return { text: this.#greeting.value.text };
  }
}
