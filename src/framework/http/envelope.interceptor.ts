import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Observable } from 'rxjs';
import { currentContext, type HandlerTarget, type Live, onlyOnFace } from '../core/index.js';
import { LIMIT_OPTIONS, type LimitOptions } from '../pipeline/index.js';
import { AnswerForm } from './answer-form.js';

/**
 * Wraps what HTTP handlers return as `{code, data, message}` and lets the request's deadline end a handler that does
 * not end by itself. Other faces pass through. Where no interceptor of the application's stands beside it, the route's
 * chain does the same by `formOf()`.
 */
@Injectable()
export class EnvelopeInterceptor implements NestInterceptor {
  readonly #forms = new WeakMap<object, AnswerForm>();

  readonly #limits: Live<LimitOptions>;

  constructor(@Inject(LIMIT_OPTIONS) limits: Live<LimitOptions>) {
    this.#limits = limits;
  }

  get [onlyOnFace](): 'http' {
    return 'http';
  }

  /** @internal */
  formOf({ controller, handler }: Pick<HandlerTarget, 'controller' | 'handler'>): AnswerForm {
    return new AnswerForm(controller, handler, this.#limits);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const form = this.#formOf(context);
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    if (form.isSse) form.allowStream();
    return new Observable((subscriber) => {
      const forget = currentContext()?.deadline.onFire((reason) => subscriber.error(reason));
      const subscription = next.handle().subscribe({
        next: (value) => subscriber.next(form.of(value, reply)),
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      return () => {
        forget?.();
        subscription.unsubscribe();
      };
    });
  }

  #formOf(context: ExecutionContext): AnswerForm {
    const handler = context.getHandler();
    let form = this.#forms.get(handler);
    if (form === undefined) this.#forms.set(handler, (form = this.formOf({ controller: context.getClass(), handler })));
    return form;
  }
}
