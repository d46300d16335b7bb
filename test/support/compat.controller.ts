import type { ServerDuplexStream } from '@grpc/grpc-js';
import {
  type ArgumentsHost,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  Injectable,
  type NestInterceptor,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Post,
  Query,
  Scope,
  Sse,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall, GrpcStreamMethod, Payload, RpcException } from '@nestjs/microservices';
import type { FastifyReply } from 'fastify';
import { concatMap, defer, EMPTY, finalize, from, interval, map, Observable, of, reduce, take, throwError } from 'rxjs';
import { Public } from 'rookery/auth';
import { Input } from 'rookery/pipeline';
import { CompatLog } from './compat-log.js';
import { OrderInput, ReplyInput, TrialInput } from './trial.dto.js';

interface Reply {
  readonly text?: string;
  readonly number?: number;
}

class TeapotError extends Error {}

/** Lets nobody in who does not say `x-guard: open`. */
@Injectable()
class HeaderGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return headerOf(context, 'x-guard') === 'open';
  }
}

function headerOf(context: ExecutionContext, name: string): string | undefined {
  if (context.getType() === 'http')
    return context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers[name];
  const [value] = context.switchToRpc().getContext<{ get(name: string): unknown[] }>().get(name);
  return value as string | undefined;
}

/** Adds a word to every text. */
@Injectable()
class SuffixInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((reply: Reply) => ({ ...reply, text: `${reply.text ?? ''} suffixed` })));
  }
}

/** Puts the mode into capitals. */
@Injectable()
class CapitalPipe implements PipeTransform {
  transform(value: unknown): unknown {
    if (value instanceof TrialInput) return Object.assign(new TrialInput(), value, { mode: value.mode.toUpperCase() });
    return value;
  }
}

/** Answers for its own error, on each face in its way. */
@Catch(TeapotError)
class TeapotFilter implements ExceptionFilter {
  catch(_error: TeapotError, host: ArgumentsHost): unknown {
    if (host.getType() === 'http') {
      void host.switchToHttp().getResponse<FastifyReply>().status(418).send({ own: 'filter' });
      return undefined;
    }
    return throwError(() => new RpcException({ code: 9, message: 'own filter' }));
  }
}

/** Made anew for each request. */
@Injectable({ scope: Scope.REQUEST })
export class PerRequest {
  readonly number: number;

  constructor(log: CompatLog) {
    log.instances += 1;
    this.number = log.instances;
  }
}

/** Handlers as Nest's own documentation writes them. */
@Controller('compat')
@Public()
export class CompatController {
  readonly #log: CompatLog;

  constructor(log: CompatLog) {
    this.#log = log;
  }

  @Post('orders')
  order(@Body() order: OrderInput): OrderInput {
    return order;
  }

  @Get('numbers/:number')
  number(@Param('number', ParseIntPipe) number: number, @Query() query: TrialInput): Reply {
    return { text: query.mode, number };
  }

  @Get('one/:number')
  one(@Param('number') number: number, @Query('mode') mode: string): Reply {
    return { text: `${typeof number} ${mode}`, number };
  }

  @Get('observable')
  observable(): Observable<Reply> {
    return of({ text: 'observed' });
  }

  @Get('empty')
  empty(): Observable<never> {
    return EMPTY;
  }

  @Sse('events')
  events(): Observable<{ data: Reply }> {
    return interval(5).pipe(
      take(3),
      map((number) => ({ data: { number } })),
      finalize(() => this.#log.note('events ended')),
    );
  }

  @Post('guarded')
  @UseGuards(HeaderGuard)
  @UseInterceptors(SuffixInterceptor)
  @UsePipes(CapitalPipe)
  guarded(@Body() { mode }: TrialInput): Reply {
    return { text: mode };
  }

  @Post('filtered')
  @UseFilters(TeapotFilter)
  filtered(@Body() { mode }: TrialInput): Reply {
    return this.#failing(mode);
  }

  @GrpcMethod('CompatService', 'Unary')
  unary(input: TrialInput, metadata: { get(name: string): unknown[] }, call: { getPeer(): string }): Reply {
    return {
      text: `${input.mode} ${String(metadata.get('x-said')[0])} ${input instanceof TrialInput}`,
      number: call.getPeer().length > 0 ? 1 : 0,
    };
  }

  @GrpcMethod('CompatService', 'UnaryObservable')
  unaryObservable(@Payload() { mode }: TrialInput): Observable<Reply> {
    return of({ text: mode });
  }

  @GrpcMethod('CompatService', 'Empty')
  emptyReply(): Observable<Reply> {
    return EMPTY;
  }

  @GrpcMethod('trial.service.v1.CompatService', 'Order')
  grpcOrder(@Payload() order: OrderInput): Reply {
    return { text: JSON.stringify(order), number: order.items.length };
  }

  @GrpcMethod('CompatService', 'Guarded')
  @UseGuards(HeaderGuard)
  @UseInterceptors(SuffixInterceptor)
  @UsePipes(CapitalPipe)
  grpcGuarded(@Payload() { mode }: TrialInput): Reply {
    return { text: mode };
  }

  @GrpcMethod('CompatService', 'Filtered')
  @UseFilters(TeapotFilter)
  grpcFiltered(@Payload() { mode }: TrialInput): Reply {
    return this.#failing(mode);
  }

  @GrpcMethod('CompatService', 'List')
  list({ count }: TrialInput): Observable<Reply> {
    return from(Array.from({ length: count }, (_, index) => ({ number: index + 1 }))).pipe(
      finalize(() => this.#log.note('list ended')),
    );
  }

  @GrpcStreamMethod('CompatService', 'Sum')
  sum(messages: Observable<ReplyInput>): Observable<Reply> {
    return messages.pipe(
      reduce((total, { number }) => total + number, 0),
      map((number) => ({ number })),
    );
  }

  @GrpcStreamMethod('CompatService', 'CheckedSum')
  checkedSum(@Input(ReplyInput) messages: Observable<ReplyInput>): Observable<Reply> {
    return this.sum(messages);
  }

  @GrpcStreamMethod('CompatService', 'Talk')
  talk(messages: Observable<ReplyInput>): Observable<Reply> {
    return messages.pipe(concatMap(({ text, number }) => defer(() => of({ text: `heard ${text}`, number }))));
  }

  @GrpcStreamCall('CompatService', 'Pass')
  pass(call: ServerDuplexStream<ReplyInput, Reply>): void {
    call.on('data', ({ text, number }: ReplyInput) => call.write({ text: `passed ${text}`, number }));
    call.on('end', () => call.end());
  }

  #failing(mode: string): never {
    if (mode === 'http') throw new HttpException('as Nest says', 409);
    throw new TeapotError('own');
  }
}

/** A controller that is made anew for each request, as what it needs is. */
@Controller('compat')
@Public()
export class ScopedController {
  readonly #perRequest: PerRequest;

  constructor(perRequest: PerRequest) {
    this.#perRequest = perRequest;
  }

  @Get('scoped')
  scoped(): Reply {
    return { number: this.#perRequest.number };
  }

  @GrpcMethod('CompatService', 'Scoped')
  grpcScoped(): Reply {
    return { number: this.#perRequest.number };
  }
}
