import { STATUS_CODES } from 'node:http';
import type { RouteHandler } from './route-handlers.js';
import type { Answer, MediaType, Operation, Schema } from './schema.js';

/** Where an operation stands. */
export interface Route {
  /** With parameters in braces. */
  readonly path: string;
  /** In lower case. */
  readonly method: string;
}

interface ErrorKind {
  readonly description: string;
  readonly headers?: Answer['headers'];
  readonly occurs: (operation: Operation, route: Route, handler: RouteHandler) => boolean;
}

const always = (): boolean => true;
const hasBody = (operation: Operation): boolean => operation.requestBody !== undefined;
const retryAfter = {
  'retry-after': { description: 'When to try again, in seconds.', schema: { type: 'integer' } },
} as const;
const challenge = {
  'www-authenticate': { description: 'What is missing (RFC 6750).', schema: { type: 'string' } },
} as const;

const kinds: Readonly<Record<string, ErrorKind>> = {
  400: {
    description: 'The request does not have the expected form; `errors` names the wrong fields.',
    occurs: (operation, _route, { input }) =>
      input !== undefined || hasBody(operation) || (operation.parameters?.length ?? 0) > 0,
  },
  // On a public route as well: a token that is sent all the same is checked.
  401: { description: 'No valid bearer token.', headers: challenge, occurs: always },
  403: {
    description: 'The caller is known but lacks a scope or role.',
    headers: challenge,
    occurs: (_operation, _route, { access }) => !access.isPublic,
  },
  404: { description: 'What the path names does not exist.', occurs: (_operation, route) => route.path.includes('{') },
  409: {
    description: 'The change conflicts with what exists already.',
    occurs: (_operation, route) => !['get', 'head', 'options'].includes(route.method),
  },
  413: { description: 'The body is larger than `server.limits.maxBodyBytes`.', occurs: hasBody },
  415: { description: 'The body is not JSON.', occurs: hasBody },
  429: { description: 'Too many requests.', headers: retryAfter, occurs: always },
  500: { description: 'The service failed; the log has more under `requestId`.', occurs: always },
  503: { description: 'Not available for the moment, or shutting down.', headers: retryAfter, occurs: always },
  504: { description: 'There was no answer before the deadline.', occurs: always },
};

/** The error statuses that an operation can answer with. Probes pass no part of the pipeline that refuses requests. */
export function errorStatuses(operation: Operation, route: Route, handler: RouteHandler): string[] {
  if (handler.access.isProbe) return ['500'];
  return Object.keys(kinds).filter((status) => kinds[status]?.occurs(operation, route, handler) === true);
}

/** The shared answer for an error status. */
export function errorAnswer(status: string): Answer {
  return { $ref: `#/components/responses/${answerName(status)}` };
}

/** Both forms of an error: the envelope, and the problem document for who asks for it. */
export function errorContent(): Record<string, MediaType> {
  return {
    'application/json': { schema: { $ref: '#/components/schemas/ErrorEnvelope' } },
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  };
}

/** The shared error answers by name. */
export function errorAnswers(): Record<string, Answer> {
  return Object.fromEntries(
    Object.entries(kinds).map(([status, { description, headers }]) => [
      answerName(status),
      { description, ...(headers !== undefined && { headers }), content: errorContent() },
    ]),
  );
}

// `Bad Request` is the answer `BadRequest`.
function answerName(status: string): string {
  return (STATUS_CODES[status] ?? status).replaceAll(/[^A-Za-z]/g, '');
}

const details: Record<string, Schema> = {
  reason: { type: 'string', description: 'Stable name of the cause, for programs.' },
  requestId: { type: 'string', description: 'What to look for in the log of the service.' },
  errors: {
    type: 'array',
    items: { $ref: '#/components/schemas/FieldViolation' },
    description: 'The wrong fields, where there are some.',
  },
};

/** Schemas of the two forms of an error. */
export function errorSchemas(): Record<string, Schema> {
  return {
    ErrorEnvelope: {
      type: 'object',
      required: ['code', 'data', 'message', 'reason', 'requestId'],
      properties: {
        code: { type: 'integer', description: 'The HTTP status.' },
        data: { type: 'object', nullable: true, enum: [null] },
        message: { type: 'string', description: 'What went wrong, for people.' },
        ...details,
      },
    },
    Problem: {
      type: 'object',
      description: 'The same as a problem document (RFC 9457), for `accept: application/problem+json`.',
      required: ['type', 'title', 'status', 'detail', 'reason', 'requestId'],
      properties: {
        type: { type: 'string', format: 'uri-reference' },
        title: { type: 'string' },
        status: { type: 'integer' },
        detail: { type: 'string' },
        ...details,
      },
    },
    FieldViolation: {
      type: 'object',
      required: ['field', 'rule', 'message'],
      properties: {
        field: { type: 'string', description: 'Path of the field, such as `items[2].name`.' },
        rule: { type: 'string', description: 'Name of the broken rule, such as `isEmail`.' },
        message: { type: 'string', description: 'What was expected.' },
      },
    },
  };
}
