import type { RookeryError } from '../core/index.js';
import { MethodNotAllowedError, RouteNotFoundError, UnsupportedContentTypeError } from './http.errors.js';

/** What can be posted to an RPC; those that come to the REST side are something else. */
const rpcTypes = ['application/grpc', 'application/grpc-web', 'application/grpc-web-text'];

/** The routes of the application by path: asked only when a request found none, to tell 405 from 404. */
export class RouteTable {
  readonly #rows: { readonly segments: readonly string[]; readonly method: string }[] = [];
  #isRpc: (path: string) => boolean = () => false;

  /** @param path as Fastify writes it: `/users/:id`, `/files/*` */
  add(method: string, path: string): void {
    // Catch-all routes, such as the preflight's, say nothing about what exists.
    if (path === '*' || path === '/*') return;
    this.#rows.push({ segments: path.split('/'), method });
  }

  /** All of them, those of the framework and of its plugins included. */
  get routes(): readonly { readonly method: string; readonly path: string }[] {
    return this.#rows.map(({ method, segments }) => ({ method, path: segments.join('/') }));
  }

  /** Makes the paths of RPCs known, whose calls are served before any route is looked for. */
  addRpcs(isRpc: (path: string) => boolean): void {
    this.#isRpc = isRpc;
  }

  /** The methods that some route serves `path` with, in alphabetical order. */
  methodsOf(path: string): readonly string[] {
    const segments = path.split('/');
    const methods = this.#rows.filter((row) => matches(row.segments, segments)).map((row) => row.method);
    return [...new Set(methods)].sort();
  }

  /** Why a request that found no route is refused: the path is unknown, has other methods, or is that of an RPC. */
  refusal(method: string, path: string, contentType?: string): RookeryError {
    const methods = this.methodsOf(path);
    if (methods.length > 0) return new MethodNotAllowedError(method, path, methods);
    if (!this.#isRpc(path)) return new RouteNotFoundError(method, path);
    return method === 'POST'
      ? new UnsupportedContentTypeError(contentType, rpcTypes)
      : new MethodNotAllowedError(method, path, ['POST']);
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [index, segment] of pattern.entries()) {
    const part = path[index];
    if (part === undefined) return false;
    if (segment === '*') return true;
    if (segment.startsWith(':') ? part === '' : segment !== part) return false;
  }
  return pattern.length === path.length;
}
