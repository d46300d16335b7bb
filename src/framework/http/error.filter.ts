import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { onlyOnFace } from '../core/index.js';
import { replyFailure } from './reply-failure.js';

/** The last filter: answers every error nobody else has answered. On gRPC the face itself translates, so it goes on. */
@Injectable()
@Catch()
export class ErrorFilter implements ExceptionFilter {
  get [onlyOnFace](): 'http' {
    return 'http';
  }

  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error;
    const http = host.switchToHttp();
    replyFailure(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), error);
  }
}
