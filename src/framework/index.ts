/**
 * Rookery: one Nest application on one port, REST and gRPC from the same handlers.
 *
 * The names here are what most services need; each module has a door of its own: `rookery/auth`, `rookery/config`, …
 *
 * @example
 * const service = await createService(AppModule); // reads config/, the environment, the command line
 * await service.listen();                         // HTTP/1.1, HTTP/2, gRPC
 */
export { type CreateServiceOptions, createService, Service } from './server/index.js';
export { currentContext, currentSignal, type Live, raise, RookeryError, Status } from './core/index.js';
export { Caller, Public, Roles, Scopes } from './auth/index.js';
export { Config, ConfigPrefix } from './config/index.js';
export { GrpcService, type InputOf, passOn, Rpc } from './grpc/index.js';
export { Raw } from './http/index.js';
export { Input, Timeout } from './pipeline/index.js';
