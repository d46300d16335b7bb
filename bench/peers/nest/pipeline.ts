// What a Nest team writes for itself: validation, guard, envelope, one filter for both faces; by Nest's own means.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Metadata, status } from '@grpc/grpc-js';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  HttpException,
  HttpStatus,
  Injectable,
  Logger,
  type NestInterceptor,
  type Provider,
  SetMetadata,
  UnauthorizedException,
  ValidationPipe,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost, Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable, throwError } from 'rxjs';

const publicKey = 'isPublic';

/** Needs no token. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(publicKey, true);

const secret = process.env['BENCH_SECRET'] ?? '';

/** Checks an HS256 token by hand: cheaper than the usual packages. */
function isValidToken(token: string): boolean {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const expected = createHmac('sha256', secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  const { exp, scope } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number; scope: string };
  return exp * 1000 > Date.now() && scope.split(' ').includes('users:read');
}

@Injectable()
class TokenGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const isPublic = this.reflector.getAllAndOverride<boolean | undefined>(publicKey, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (isPublic === true) return true;
    const [scheme, token] = authorizationOf(context).split(' ');
    if (scheme !== 'Bearer' || token === undefined || !isValidToken(token)) throw new UnauthorizedException();
    return true;
  }
}

function authorizationOf(context: ExecutionContext): string {
  if (context.getType() === 'http')
    return context.switchToHttp().getRequest<FastifyRequest>().headers.authorization ?? '';
  return String(context.switchToRpc().getContext<Metadata>().get('authorization')[0] ?? '');
}

@Injectable()
class EnvelopeInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(map((data: unknown) => ({ code: reply.statusCode, data, message: 'success' })));
  }
}

const grpcCodes: Readonly<Record<number, status>> = {
  [HttpStatus.BAD_REQUEST]: status.INVALID_ARGUMENT,
  [HttpStatus.UNAUTHORIZED]: status.UNAUTHENTICATED,
  [HttpStatus.NOT_FOUND]: status.NOT_FOUND,
};

@Catch()
class EveryErrorFilter implements ExceptionFilter {
  readonly #logger = new Logger('EveryErrorFilter');

  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): Observable<never> | undefined {
    const code = error instanceof HttpException ? error.getStatus() : HttpStatus.INTERNAL_SERVER_ERROR;
    const message = error instanceof HttpException ? error.message : 'internal error';
    if (!(error instanceof HttpException)) this.#logger.error(error);
    if (host.getType() !== 'http')
      return throwError(() => ({ code: grpcCodes[code] ?? status.INTERNAL, details: message }));
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { code, data: null, message }, code);
    return undefined;
  }
}

/** For the providers of the root module. */
export const pipeline: Provider[] = [
  { provide: APP_GUARD, useClass: TokenGuard },
  { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }) },
  { provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor },
  { provide: APP_FILTER, useClass: EveryErrorFilter },
];
