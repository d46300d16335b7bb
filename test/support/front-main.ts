import { Module } from '@nestjs/common';
import { createService } from 'rookery';
import { FrontCalls } from './front-calls.js';
import { FrontController } from './front.controller.js';

// A service that calls others, in a process of its own: compiled, and run by plain Node. Its arguments are their addresses.

/** The first message of the program. */
export interface FrontReady {
  readonly port: number;
}

const [grpc = '', http = '', closed = ''] = process.argv.slice(2, 5);

@Module({
  controllers: [FrontController],
  providers: [{ provide: FrontCalls, useValue: new FrontCalls({ grpc, http, closed }) }],
})
class FrontModule {}

const service = await createService(FrontModule, { config: { argv: [] } });
await service.listen();
process.send?.({ port: Number(new URL(service.url).port) } satisfies FrontReady);
