import { ConflictException, HttpException, InternalServerErrorException, NotFoundException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { currentSignal, RookeryError, Status, statusName } from 'rookery/core';

/** What no caller may ever see. */
export const internalText = 'internal-text-7f3a';

/** A declared error of each status. */
function declaredError(status: Status): RookeryError {
  class TrialError extends RookeryError {
    static override readonly reason = `TRIAL_${statusName(status)}`;
    static override readonly status = status;
  }
  return new TrialError(`trial of ${statusName(status)}`, {
    cause: new Error(internalText),
    metadata: { tried: statusName(status) },
    ...(status === Status.Unavailable && { retryAfterMs: 1500 }),
  });
}

/** Fails in the way that `mode` names. */
export function failAs(mode: string): Promise<never> {
  const [kind = '', argument = ''] = mode.split(':');
  switch (kind) {
    case 'declared':
      throw declaredError(Number(argument) as Status);
    case 'string':
      throw `${internalText} as a string`;
    case 'undefined':
      throw undefined;
    case 'null':
      throw null;
    case 'object':
      throw { message: internalText };
    case 'error':
      throw new Error(internalText);
    case 'saying':
      throw new Error(`${internalText}: ${argument}`);
    case 'rejection':
      return Promise.reject(new TypeError(internalText));
    case 'httpNotFound':
      throw new NotFoundException('not here');
    case 'httpConflict':
      throw new ConflictException('taken');
    case 'httpTeapot':
      throw new HttpException('short and stout', 418);
    case 'httpInternal':
      throw new InternalServerErrorException(internalText);
    case 'rpc':
      throw new RpcException({ code: Number(argument), message: 'said by rpc' });
    case 'never':
      // One for each caller: what waits for it must be free to go.
      return new Promise<never>(() => {});
    case 'untilAborted':
      return untilAborted();
    default:
      throw new Error(`unknown mode ${mode}`);
  }
}

// A handler that heeds its signal, as it should.
function untilAborted(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const signal = currentSignal();
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return promise;
}
