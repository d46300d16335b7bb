import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { codecOf, type MessageCodec } from './codec/message-codec.js';
import { printable, RpcBindingError, UnknownRpcError } from './grpc.errors.js';

/** Returned by an `invoke` that answers through the call itself. */
export const answeredByHandler: unique symbol = Symbol('answeredByHandler');

/**
 * What becomes of fields that the message's type does not have: the handler gets them (`passed`), the check of its input
 * does (`checked`), or they are `skipped`.
 */
export type UnknownFieldUse = 'passed' | 'checked' | 'skipped';

/** How a method is served. */
export interface BindOptions {
  /** Served also while everything else is refused. */
  readonly isProbe?: boolean;
  /** By default `passed`. */
  readonly unknownFields?: UnknownFieldUse;
  /** The method's own limit, in ms; that of all requests when left out. */
  readonly timeoutMs?: number | undefined;
}

/** A method and who serves it; made once, at the start. `C` is what a call is. */
export interface BoundMethod<C> {
  readonly desc: DescMethod;
  readonly input: MessageCodec;
  readonly output: MessageCodec;
  /** `user.service.v1.UserService/GetUser` */
  readonly operation: string;
  readonly takesStream: boolean;
  readonly givesStream: boolean;
  /** Served also while everything else is refused. */
  readonly isProbe: boolean;
  /** The method's own limit, in ms, which holds while the message is on its way too. */
  readonly timeoutMs: number | undefined;
  readonly unknownFields: UnknownFieldUse;
  /** Serves one call; what it returns is the answer. */
  readonly invoke: (call: C) => unknown;
}

/** Which path is served by what. */
export class MethodTable<C> {
  readonly #methods = new Map<string, BoundMethod<C>>();
  readonly #services = new Map<string, DescService>();

  /** Services with at least one method that is served, by name. */
  get services(): readonly DescService[] {
    return [...this.#services.values()];
  }

  /** @throws RpcBindingError the method is served already */
  bind(desc: DescMethod, invoke: BoundMethod<C>['invoke'], options: BindOptions = {}): void {
    const { isProbe = false, unknownFields = 'passed', timeoutMs } = options;
    const operation = operationOf(desc);
    if (this.#methods.has(`/${operation}`)) throw new RpcBindingError(`two handlers for ${operation} (expected: one)`);
    const takesStream = desc.methodKind === 'client_streaming' || desc.methodKind === 'bidi_streaming';
    const givesStream = desc.methodKind === 'server_streaming' || desc.methodKind === 'bidi_streaming';
    this.#services.set(desc.parent.typeName, desc.parent);
    const input = codecOf(desc.input);
    const output = codecOf(desc.output);
    const base = { desc, input, output, operation, takesStream, givesStream };
    const method = { ...base, isProbe, timeoutMs, unknownFields, invoke };
    this.#methods.set(`/${operation}`, method);
  }

  find(path: string): BoundMethod<C> | undefined {
    return this.#methods.get(path);
  }

  /** Why there is no method at `path`. */
  explain(path: string): UnknownRpcError {
    const match = /^\/([^/]+)\/([^/]+)$/.exec(path);
    if (match === null)
      return new UnknownRpcError(`malformed path ${printable(path)} (expected: /package.Service/Method)`);
    const [, service = '', method = ''] = match;
    const known = this.#services.get(service);
    if (known === undefined) return new UnknownRpcError(`unknown service ${printable(service)}`);
    const isDescribed = known.methods.some((desc) => desc.name === method);
    return new UnknownRpcError(
      isDescribed
        ? `method ${method} of service ${service} is not implemented`
        : `unknown method ${printable(method)} of service ${service}`,
    );
  }
}

function operationOf(desc: DescMethod): string {
  return `${desc.parent.typeName}/${desc.name}`;
}
