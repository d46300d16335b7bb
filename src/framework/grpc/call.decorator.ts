import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { RpcCall } from './rpc-call.js';

/**
 * The call at hand, for metadata and trailers: a parameter of type `RpcCall`. On a method that also serves an HTTP route
 * it is `undefined` there.
 */
export const Call: () => ParameterDecorator = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  context.getType() === 'rpc' ? context.getArgByIndex<RpcCall>(2) : undefined,
);
