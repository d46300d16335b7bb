import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { finalize, type Observable, throwError } from 'rxjs';
import { raise, RookeryError, Status } from 'rookery/core';
import { CompatController, PerRequest, ScopedController } from './compat.controller.js';
import { CompatLog } from './compat-log.js';

/** A failure that the application's own filter turns into another. */
class TranslatedError extends Error {}

class TranslatedByFilterError extends RookeryError {
  static override readonly reason = 'TRANSLATED_BY_FILTER';
  static override readonly status = Status.FailedPrecondition;
}

@Injectable()
class LogGuard implements CanActivate {
  readonly #log: CompatLog;

  constructor(log: CompatLog) {
    this.#log = log;
  }

  canActivate(context: ExecutionContext): boolean {
    this.#log.note(`guard ${context.getType()} ${context.getHandler().name}`);
    return true;
  }
}

@Injectable()
class LogInterceptor implements NestInterceptor {
  readonly #log: CompatLog;

  constructor(log: CompatLog) {
    this.#log = log;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const name = `${context.getType()} ${context.getHandler().name}`;
    this.#log.note(`interceptor ${name}`);
    return next.handle().pipe(finalize(() => this.#log.note(`interceptor ended ${name}`)));
  }
}

@Injectable()
class TranslatePipe implements PipeTransform {
  transform(value: unknown): unknown {
    return (value as { mode?: unknown } | undefined)?.mode === 'translate'
      ? raise(new TranslatedError('by pipe'))
      : value;
  }
}

@Catch(TranslatedError)
class TranslateFilter implements ExceptionFilter {
  catch(error: TranslatedError, host: ArgumentsHost): Observable<never> {
    const translated = new TranslatedByFilterError('translated', { cause: error });
    // Nest's way for HTTP is to answer; one that throws leaves it to the framework's own.
    if (host.getType() === 'http') throw translated;
    return throwError(() => translated);
  }
}

/** An application with guards, pipes, interceptors and filters of its own for everything. */
@Module({
  controllers: [CompatController, ScopedController],
  providers: [
    CompatLog,
    PerRequest,
    { provide: APP_GUARD, useClass: LogGuard },
    { provide: APP_INTERCEPTOR, useClass: LogInterceptor },
    { provide: APP_PIPE, useClass: TranslatePipe },
    { provide: APP_FILTER, useClass: TranslateFilter },
  ],
})
export class CompatModule {}
