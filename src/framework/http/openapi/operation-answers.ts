import { STATUS_CODES } from 'node:http';
import { errorAnswer, errorContent, errorStatuses, type Route } from './error-answers.js';
import type { MessageSchemas } from './message-schemas.js';
import type { RouteHandler } from './route-handlers.js';
import type { Answer, Operation, Schema } from './schema.js';

const withoutBody: ReadonlySet<string> = new Set(['204', '205', '304']);

/** Completes the answers of an operation: success in the form the handler gives it, and the errors every route can give. */
export function describeAnswers(
  operation: Operation,
  route: Route,
  handler: RouteHandler,
  messages: MessageSchemas,
): void {
  for (const [status, answer] of Object.entries(operation.responses)) {
    if (/^[23]/.test(status)) describeSuccess(status, answer, handler, messages);
    else if (/^[45]|^default$/.test(status) && answer.$ref === undefined) answer.content ??= errorContent();
    if (answer.$ref === undefined && !answer.description) answer.description = STATUS_CODES[status] ?? 'Answer';
  }
  if (handler.access.isProbe) describeProbe(operation, handler.contentType);
  for (const status of errorStatuses(operation, route, handler)) operation.responses[status] ??= errorAnswer(status);
}

// Kubernetes' form of an answer, the same whether up or down; what names a type of its own is no question about up or down.
function describeProbe(operation: Operation, contentType: string | undefined): void {
  if (contentType !== undefined) {
    operation.responses['200'] = { description: 'OK', content: { [contentType]: { schema: { type: 'string' } } } };
    return;
  }
  const content = { 'application/json': { schema: { type: 'object' } } } as const;
  operation.responses['200'] = { description: 'Up', content };
  operation.responses['503'] = { description: 'Down', content };
}

function describeSuccess(status: string, answer: Answer, handler: RouteHandler, messages: MessageSchemas): void {
  if (withoutBody.has(status) || status.startsWith('3') || answer.$ref !== undefined) return;
  const output = handler.rpc === undefined ? undefined : messages.output(handler.rpc.output);
  switch (handler.answer) {
    case 'raw':
      answer.content ??= { [handler.contentType ?? '*/*']: { schema: { type: 'string', format: 'binary' } } };
      return;
    case 'events':
      answer.content ??= { 'text/event-stream': { schema: { type: 'string' } } };
      return;
    case 'lines':
      answer.content ??= { 'application/x-ndjson': { schema: output ?? {} } };
      return;
    case 'envelope': {
      const declared = answer.content?.['application/json'];
      // Another content type that the author named is sent by other means than a returned value.
      if (declared === undefined && answer.content !== undefined) return;
      const data = declared?.schema ?? dataSchema(handler, output);
      if (isEnvelope(data)) return;
      answer.content = {
        ...answer.content,
        'application/json': { ...declared, schema: envelope(Number(status), data) },
      };
    }
  }
}

function envelope(code: number, data: Schema): Schema {
  return {
    type: 'object',
    required: ['code', 'data', 'message'],
    properties: {
      code: { type: 'integer', ...(code > 0 && { enum: [code] }) },
      data,
      message: { type: 'string', enum: ['success'] },
    },
  };
}

function isEnvelope({ properties }: Schema): boolean {
  return properties !== undefined && ['code', 'data', 'message'].every((name) => name in properties);
}

const nothing: Schema = { type: 'object', nullable: true, enum: [null] };

function dataSchema({ rpc, returnType, returnsNothing }: RouteHandler, output: Schema | undefined): Schema {
  // A handler that returns nothing implements an RPC with an empty answer just as well.
  if (rpc?.output.typeName === 'google.protobuf.Empty') return { type: 'object', nullable: true };
  if (output !== undefined) return output;
  if (returnsNothing) return nothing;
  switch (returnType) {
    case String:
      return { type: 'string' };
    case Number:
      return { type: 'number' };
    case Boolean:
      return { type: 'boolean' };
    case Array:
      return { type: 'array', items: {} };
    default:
      return {};
  }
}
