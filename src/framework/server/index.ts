/**
 * One port for HTTP/1.1, HTTP/2 and gRPC, and the life of the process around it.
 *
 * @example
 * const service = await createService(AppModule);
 * await service.listen();
 */
export { type CreateServiceOptions, createService } from './create-service.js';
export { Service } from './service.js';
export { type Samples } from './banner.js';
export { AppOptions } from './app.options.js';
export { ManagementOptions } from './management.options.js';
export { SERVER_OPTIONS, ServerOptions } from './server.options.js';
export { StartError } from './start-error.js';
export { ManagementHostError, TlsFilesError } from './server.errors.js';
