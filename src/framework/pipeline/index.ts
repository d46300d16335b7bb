/**
 * What every request passes, on either face: the gate (limits, context), validation, and the one table that turns
 * errors into outcomes.
 *
 * @example
 * @Get(':id') @Rpc() @Timeout(2000)
 * getUser(@Input() input: GetUserInput): Promise<User> { … }
 */
export { type Failure, toFailure } from './failure.js';
export { isFastifyError, isTransportText } from './foreign-error.js';
export { type Arrival, type Outcome, RequestGate } from './request-gate.js';
export { shareLimitsOf } from './request-bounds.js';
export {
  LIMIT_OPTIONS,
  LimitOptions,
  maxHeaderBytesBound,
  MESSAGE_POLICY,
  type MessagePolicy,
} from './pipeline.options.js';
export { MessageTooDeepError, RequestTooLargeError, TooManyElementsError, ValidationError } from './pipeline.errors.js';
export { Timeout } from './timeout.decorator.js';
export { Input, InputPipe } from './input.decorator.js';
export { type HttpInput, InputReader } from './input.js';
export { type DtoClass } from './validation.js';
export { StrictValidationPipe } from './validation.pipe.js';
export { PolicyGuard } from './policy.guard.js';
export { type ForwardedCounts, ForwardedPeer, type HeaderView } from './forwarded/forwarded-peer.js';
export { maxHops, TrustedProxies, type TrustProxy } from './forwarded/trusted-proxies.js';
export { HandlerCall, isDeferred, isThenable } from './handler-call.js';
export { type HandlerRef } from './handler-index.js';
export { type Admission, composeGuards } from './method-guards.js';
export { type Arguments, composeParams } from './method-params.js';
export { type HandlerParts, type RouteParts, type RpcParts } from './handler-parts.js';
export { HandlerSource } from './handler-source.js';
