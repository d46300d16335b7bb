import { expect } from 'vitest';
import type { HttpAnswer } from './http-caller.js';

/** What an error envelope says beside what follows from it. */
export interface ExpectedError {
  readonly reason: string;
  readonly message: string;
  readonly errors?: readonly { readonly field: string; readonly rule: string; readonly message: string }[];
}

// A request id of the caller's choice would do too; the tests here choose none.
const anyRequestId: unknown = expect.stringMatching(/^[0-9a-f]{32}$/);

/** The whole body of an error: nothing but this may be in it. */
export function errorEnvelope(code: number, { reason, message, errors }: ExpectedError): object {
  return { code, data: null, message, reason, requestId: anyRequestId, ...(errors && { errors }) };
}

/** Asserts status, whole body, and that the answer names the request as its header does. */
export function expectError(answer: HttpAnswer, code: number, expected: ExpectedError): void {
  expect(answer.json).toEqual(errorEnvelope(code, expected));
  expect(answer.status).toBe(code);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['x-request-id']).toBe((answer.json as { requestId: string }).requestId);
}
