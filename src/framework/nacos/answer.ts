import { NacosDeniedError, type NacosError, NacosOverloadedError, NacosRequestError } from './nacos.errors.js';
import type { NacosMessage } from './payload.js';

/** Whether the server did what was asked: the status of the call says nothing about it. */
export function isSuccess({ resultCode, success }: NacosMessage['body']): boolean {
  return resultCode === undefined ? success !== false : resultCode === 200;
}

/** The protocol's number for what went wrong; 500 where there is none. */
export function errorCodeOf({ errorCode }: NacosMessage['body']): number {
  return Number(errorCode ?? 500);
}

/** The server does not know this connection (any more). */
export function isUnknownConnection(errorCode: number): boolean {
  return errorCode === 301 || errorCode === -401;
}

/** @param said the server's words, without secrets */
export function refusal(type: string, errorCode: number, said: string): NacosError {
  const message = `nacos: ${type}: ${said} (${errorCode})`;
  if (errorCode === 403) return new NacosDeniedError(message);
  if (errorCode === 503) return new NacosOverloadedError(message);
  return new NacosRequestError(errorCode, message);
}
