/**
 * The REST side: the envelope `{code, data, message}`, problem documents, strict bodies, honest 404 / 405 / 415.
 *
 * @example
 * @Get('export') @Raw()
 * export(): StreamableFile { … } // sent as it is
 */
export { HttpAdapter, type HttpAdapterInit } from './http-adapter.js';
export { CorsOptions, HTTP_OPTIONS, HttpOptions } from './http.options.js';
export { type Envelope, errorEnvelope, type ErrorEnvelope } from './envelope.js';
export { composeRoutes } from './composed-routes.js';
export { EnvelopeInterceptor } from './envelope.interceptor.js';
export { ErrorFilter } from './error.filter.js';
export { registerHttpPlugins } from './http-plugins.js';
export { type RestRequest } from './rest-request.js';
export { RestRequests, type RestHandler, type RestRequestsInit } from './rest-requests.js';
export type { Http1Facts, RestConnection, RestHead, RestStream } from './rest-stream.js';
export { type RestResponse } from './rest-response.js';
export { type Transport, transportOf } from './stream-socket.js';
export { securityHeaders } from './security-headers.js';
export { brokenRule } from './request-rules.js';
export { Raw } from './raw.decorator.js';
export {
  type ApiDocs,
  type ApiDocsOptions,
  type ApiDocsRoute,
  makeApiDocs,
  registerApiDocs,
} from './openapi/register-api-docs.js';
export { type ChosenAnswer, PrecomputedAnswer } from './openapi/precomputed-answer.js';
export {
  ExpectationFailedError,
  HeadersTooLargeError,
  HttpVersionNotSupportedError,
  MalformedBodyError,
  MalformedRequestError,
  MalformedRequestTimeoutError,
  MalformedUrlError,
  MethodNotAllowedError,
  RequestTimeoutError,
  RouteNotFoundError,
  TooManyQueryParametersError,
  TransferCodingNotSupportedError,
  TunnelNotOfferedError,
  UnsupportedContentEncodingError,
  UnsupportedContentTypeError,
} from './http.errors.js';
