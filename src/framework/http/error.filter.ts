import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Observable, throwError } from 'rxjs';
import { replyFailure } from './reply-failure.js';

/** The last filter: answers every error nobody else has answered. On gRPC the face itself translates, so it goes on. */
@Injectable()
@Catch()
export class ErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): Observable<never> | undefined {
    if (host.getType() !== 'http') return throwError(() => error);
    const http = host.switchToHttp();
    replyFailure(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), error);
    return undefined;
  }
}
