import { Controller, Get, Global, Module, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Public } from 'rookery/auth';
import { currentContext } from 'rookery/core';
import { Call, GrpcService, Rpc, type RpcCall } from 'rookery/grpc';
import { Raw } from 'rookery/http';
import { LOG_DESTINATION } from 'rookery/telemetry';
import { TrialService } from './trial-proto.js';

/** Lines of the log of the service. */
export const logTexts: string[] = [];

/** Shows who a handler believes to be served. */
@Controller('seen')
@GrpcService(TrialService)
@Public()
class PeersController {
  @Get()
  @Raw()
  see(@Req() request: FastifyRequest): object {
    const { ip, ips, protocol, host, hostname } = request;
    const { remoteAddress } = request.socket;
    return { peer: currentContext()?.peer, ip, ips, protocol, host, hostname, remoteAddress };
  }

  /** Past Fastify: the shape of most routes. */
  @Get('plain')
  plain(): object {
    return { peer: currentContext()?.peer };
  }

  @Rpc()
  inspect(@Call() call: RpcCall): object {
    const forwarded = call.metadata.get('x-forwarded-for');
    return { text: JSON.stringify({ peer: currentContext()?.peer, call: call.getPeer(), forwarded }) };
  }
}

@Global()
@Module({
  providers: [{ provide: LOG_DESTINATION, useValue: { write: (text: string): void => void logTexts.push(text) } }],
  exports: [LOG_DESTINATION],
})
class LogCaptureModule {}

/** An application whose handlers tell the peer of their requests. */
@Module({ imports: [LogCaptureModule], controllers: [PeersController] })
export class PeersModule {}
