import type { RookeryError } from '../core/index.js';
import { MethodNotAllowedError, RouteNotFoundError } from './http.errors.js';

/** The routes of the application by path: asked only when a request found none, to tell 405 from 404. */
export class RouteTable {
  readonly #rows: { readonly segments: readonly string[]; readonly method: string }[] = [];

  /** @param path as Fastify writes it: `/users/:id`, `/files/*` */
  add(method: string, path: string): void {
    // Catch-all routes, such as the preflight's, say nothing about what exists.
    if (path === '*' || path === '/*') return;
    this.#rows.push({ segments: path.split('/'), method });
  }

  /** The methods that some route serves `path` with, in alphabetical order. */
  methodsOf(path: string): readonly string[] {
    const segments = path.split('/');
    const methods = this.#rows.filter((row) => matches(row.segments, segments)).map((row) => row.method);
    return [...new Set(methods)].sort();
  }

  /** Why a request that found no route is refused: the path is unknown, or has other methods. */
  refusal(method: string, path: string): RookeryError {
    const methods = this.methodsOf(path);
    return methods.length > 0 ? new MethodNotAllowedError(method, path, methods) : new RouteNotFoundError(method, path);
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [index, segment] of pattern.entries()) {
    if (segment === '*') return true;
    const part = path[index];
    if (part === undefined) return false;
    if (segment.startsWith(':') ? part === '' : segment !== part) return false;
  }
  return pattern.length === path.length;
}
