import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { RpcBindingError } from './grpc.errors.js';

/** How Nest's gRPC decorators name a handler. */
export interface Pattern {
  /** `UserService` or `user.service.v1.UserService` */
  readonly service: string;
  readonly rpc: string;
  readonly streaming: 'no_stream' | 'rx_stream' | 'pt_stream';
}

const decorators: Readonly<Record<Pattern['streaming'], string>> = {
  no_stream: '@GrpcMethod',
  rx_stream: '@GrpcStreamMethod',
  pt_stream: '@GrpcStreamCall',
};

/** Finds the protobuf method that a handler means. */
export class PatternResolver {
  readonly #byName = new Map<string, DescService[]>();

  /** Makes `service` known by its full and its short name. */
  add(service: DescService): void {
    for (const name of new Set([service.typeName, service.name])) {
      const known = this.#byName.get(name) ?? [];
      if (!known.some(({ typeName }) => typeName === service.typeName)) known.push(service);
      this.#byName.set(name, known);
    }
  }

  /** @throws RpcBindingError */
  resolve(pattern: Pattern): DescMethod {
    const label = `${decorators[pattern.streaming]}('${pattern.service}', '${pattern.rpc}')`;
    const service = this.#service(pattern.service, label);
    const method = service.methods.find(({ name }) => name === pattern.rpc);
    if (method === undefined) {
      const names = service.methods.map(({ name }) => name).join(', ');
      throw new RpcBindingError(`${label}: service ${service.typeName} has no such method (expected: one of ${names})`);
    }
    checkStreaming(method, pattern.streaming, label);
    return method;
  }

  #service(name: string, label: string): DescService {
    const [service, ...others] = this.#byName.get(name) ?? [];
    if (service === undefined) {
      throw new RpcBindingError(
        `${label}: service ${name} is not described (expected: its descriptor among the services of GrpcStrategy)`,
      );
    }
    if (others.length > 0) {
      const names = [service, ...others].map(({ typeName }) => typeName).join(' and ');
      throw new RpcBindingError(`${label}: service ${name} is ambiguous, it may be ${names} (expected: the full name)`);
    }
    return service;
  }
}

/** @throws RpcBindingError the handler takes a stream and the method does not, or the other way round */
export function checkStreaming(method: DescMethod, streaming: Pattern['streaming'], label: string): void {
  const takesStream = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  if (takesStream === (streaming !== 'no_stream')) return;
  const expected = takesStream ? '@GrpcStreamMethod or @GrpcStreamCall' : '@GrpcMethod';
  throw new RpcBindingError(
    `${label}: ${method.parent.typeName}/${method.name} is ${method.methodKind} (expected: ${expected})`,
  );
}
