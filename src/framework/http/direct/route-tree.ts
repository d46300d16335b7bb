import { NullRecord } from './null-record.js';

/** A route that was found, with the values of its parameters. */
export interface RouteMatch<T> {
  readonly target: T;
  /** Without a prototype, as Fastify's router has it. */
  readonly params: Readonly<Record<string, string>>;
}

interface Leaf<T> {
  /** `undefined`: a route all the same, but one that is not to be found here. */
  readonly target: T | undefined;
  readonly names: readonly string[];
}

class Node<T> {
  readonly statics = new Map<string, Node<T>>();
  param: Node<T> | undefined;
  leaf: Leaf<T> | undefined;
  /** Something else may match below, such as a wildcard or a regular expression. */
  isUnsure = false;
}

const wholeParam = /^:[A-Za-z_][\w]*$/;
const plainSegment = /^[^:*%#?;()]*$/;
// Escapes, and what a browser would not send: Fastify's router knows what becomes of them.
const unusual = /[%#;]/;
const longestPath = 2048;

/**
 * The routes of an application by method and path, for what can be said of a path at a glance: the same route that
 * Fastify's router (find-my-way) would choose, or none. Whatever takes more than comparing segments is left to that one,
 * and so is every path that such a route might take.
 */
export class RouteTree<T> {
  readonly #roots = new Map<string, Node<T>>();

  /** @param path as Fastify writes it: `/users/:id`, `/files/*` */
  add(method: string, path: string, target: T | undefined): void {
    let node = this.#roots.get(method);
    if (node === undefined) this.#roots.set(method, (node = new Node()));
    if (!path.startsWith('/')) {
      node.isUnsure = true;
      return;
    }
    const names: string[] = [];
    for (const segment of path.slice(1).split('/')) {
      const isParam = wholeParam.test(segment) && !names.includes(segment.slice(1));
      if (!isParam && !plainSegment.test(segment)) {
        node.isUnsure = true;
        return;
      }
      if (isParam) {
        names.push(segment.slice(1));
        node = node.param ??= new Node();
      } else {
        let next: Node<T> | undefined = node.statics.get(segment);
        if (next === undefined) node.statics.set(segment, (next = new Node()));
        node = next;
      }
    }
    // Two of one path differ in what else they want of a request, such as a version.
    node.leaf = { target: node.leaf === undefined ? target : undefined, names };
  }

  /** @param path without the query */
  find(method: string, path: string): RouteMatch<T> | undefined {
    const root = this.#roots.get(method);
    if (root === undefined || path.charCodeAt(0) !== slash || path.length > longestPath || unusual.test(path))
      return undefined;
    const values: string[] = [];
    const leaf = walk(root, path, 1, values);
    if (leaf === undefined || leaf === 'unsure' || leaf.target === undefined) return undefined;
    const params = new NullRecord();
    const { names } = leaf;
    for (let at = 0; at < names.length; at += 1) params[names[at] as string] = values[at] as string;
    return { target: leaf.target, params };
  }
}

const slash = 0x2f;

// As the router does: what is written out goes before parameters, and what leads nowhere is taken back.
function walk<T>(node: Node<T>, path: string, from: number, values: string[]): Leaf<T> | 'unsure' | undefined {
  const to = path.indexOf('/', from);
  const segment = path.slice(from, to < 0 ? path.length : to);
  const next = node.statics.get(segment);
  if (next !== undefined) {
    const found = to < 0 ? next.leaf : walk(next, path, to + 1, values);
    if (found !== undefined) return found;
  }
  // Nothing is no value for a parameter; what Nest answers to that, it answers itself.
  if (node.isUnsure || (segment === '' && node.param !== undefined)) return 'unsure';
  if (node.param === undefined) return undefined;
  const depth = values.length;
  values.push(segment);
  const found = to < 0 ? node.param.leaf : walk(node.param, path, to + 1, values);
  if (found === undefined) values.length = depth;
  return found;
}
