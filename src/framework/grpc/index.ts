/**
 * The gRPC face: the protocol on HTTP/2 streams, Nest's transport strategy for it, health and reflection, and a client.
 * A controller method becomes an RPC by `@Rpc()`, its class a service by `@GrpcService`; Nest's own `@GrpcMethod`,
 * `@GrpcStreamMethod` and `@GrpcStreamCall` work as well.
 *
 * @example
 * @Controller('users')
 * @GrpcService(UserService)
 * export class UsersController {
 *   @Get(':id') @Rpc()
 *   getUser(@Input() input: GetUserInput): Promise<User> { … }
 * }
 */
export { GrpcService, Rpc } from './rpc.decorator.js';
export { type InputOf, type OutputOf, type ServiceHandlers } from './service-types.js';
export { Call } from './call.decorator.js';
export { type CallEvent, type RpcCall } from './rpc-call.js';
export { Metadata, type MetadataValue } from './metadata.js';
export { type AnswerCallback, DuplexCall } from './duplex-call.js';
export { GrpcRequestStream } from './request-stream.js';
export { GRPC_OPTIONS, GrpcOptions } from './grpc.options.js';
export { GrpcServer, type GrpcServerInit } from './grpc-server.js';
export { type CorsRules } from './grpc-web/cors.js';
export { GrpcWeb, type GrpcWebInit } from './grpc-web/grpc-web.js';
export { GrpcStrategy } from './grpc.strategy.js';
export {
  type OutgoingFields,
  type RequestHead,
  type ServerStream,
  type StreamListener,
} from './server-stream.js';
export {
  MalformedMessageError,
  MalformedMetadataError,
  MalformedTimeoutError,
  MessageCountError,
  NotPostError,
  RpcBindingError,
  ResponseTooLargeError,
  SlowReaderError,
  UnexpectedCompressionError,
  UnknownRpcError,
  UnsupportedCodecError,
  UnsupportedEncodingError,
} from './grpc.errors.js';
export { type StatusDetail, StatusError } from './status-error.js';
export { UnknownServiceError } from './health-service.js';
export { createGrpcClient, type GrpcCallOptions, type GrpcClient, type GrpcClientOptions } from './client.js';
export { RemoteError } from './client.errors.js';
export { PassedOnError, passOn } from './pass-on.js';
