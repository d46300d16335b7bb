import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { UseInterceptors } from '@nestjs/common';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { metadataKeys } from '../core/index.js';
import { RpcBindingError } from './grpc.errors.js';
import { MessagePumpInterceptor } from './message-pump.interceptor.js';
import type { ServiceHandlers } from './service-types.js';

// On a controller class: which of its methods are RPCs, and under what name if not their own.
const rpcMethodsKey = Symbol('rookery:rpc-methods');

// Among the extras of a handler's pattern. A symbol, so that Nest's graph serialiser does not walk into the descriptor.
/** Where `@GrpcService` leaves the method's descriptor for the strategy. */
export const rpcExtra: unique symbol = Symbol('rookery:rpc');

/** Whether the method takes an `@Input()`, whose check knows what to do with unknown fields. */
export const inputExtra: unique symbol = Symbol('rookery:rpc-input');

type RpcNames = Map<string, string | undefined>;

/**
 * Makes the method serve the RPC of its name in the service that `@GrpcService` names on the class. Any number of other
 * decorators, an HTTP route among them, may stand beside it in any order.
 *
 * @param name the RPC, where the method is called otherwise: `GetUser` or `getUser`
 */
export function Rpc(name?: string): MethodDecorator {
  return (prototype, property) => {
    const owner = prototype.constructor;
    const inherited = Reflect.getMetadata(rpcMethodsKey, owner) as RpcNames | undefined;
    const names: RpcNames = new Map(inherited);
    names.set(String(property), name);
    Reflect.defineMetadata(rpcMethodsKey, names, owner);
  };
}

/**
 * Has the class serve the RPCs of `service` by its methods decorated with `@Rpc()`. The compiler checks those that bear
 * an RPC's name against the generated types: they take the message's fields (`InputOf`), and give what `create()` takes.
 * RPCs without a method answer UNIMPLEMENTED; another class may have them.
 *
 * @throws RpcBindingError a method is decorated with `@Rpc()` and the service has no such RPC
 *
 * @example
 * @Controller('users')
 * @GrpcService(UserService)
 * export class UsersController {
 *   @Get(':id') @Rpc()
 *   getUser(@Input() input: GetUserInput): Promise<User> { … }
 *   @Rpc()
 *   async *watchUsers(@Input() input: WatchUsersInput): AsyncIterable<UserChange> { … }
 * }
 */
export function GrpcService<S extends DescService>(
  service: S,
): (target: abstract new (...args: never) => ServiceHandlers<S>) => void {
  return (target) => {
    const names = (Reflect.getMetadata(rpcMethodsKey, target) ?? new Map()) as RpcNames;
    for (const [property, name] of names) register(service, target, property, name);
  };
}

function register(
  service: DescService,
  target: abstract new (...args: never) => unknown,
  property: string,
  name: string | undefined,
): void {
  const wanted = name ?? property;
  const method = service.methods.find((each) => each.localName === wanted || each.name === wanted);
  if (method === undefined) {
    const known = service.methods.map(({ localName }) => localName).join(', ');
    throw new RpcBindingError(
      `@Rpc() on ${target.name}.${property}: ${service.typeName} has no RPC ${wanted} (expected: one of ${known})`,
    );
  }
  const prototype = target.prototype as object;
  const descriptor = descriptorOf(prototype, property) as TypedPropertyDescriptor<object>;
  // As `@GrpcMethod` and `@GrpcStreamMethod` do. The latter also replaces the method by one that calls `drainBuffer`,
  // which a stream that is pulled has no need of.
  const takesStream = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  const pattern = { service: service.typeName, rpc: method.name, streaming: takesStream ? 'rx_stream' : 'no_stream' };
  const takesInput: unknown = Reflect.getMetadata(metadataKeys.input, prototype, property);
  MessagePattern(pattern, Transport.GRPC, { [rpcExtra]: method, [inputExtra]: takesInput === true })(
    prototype,
    property,
    descriptor,
  );
  if (method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming') {
    UseInterceptors(MessagePumpInterceptor)(prototype, property, descriptor);
  }
  Reflect.defineMetadata(metadataKeys.rpc, method satisfies DescMethod, descriptor.value as object);
}

function descriptorOf(prototype: object, property: string): PropertyDescriptor {
  for (let owner: object | null = prototype; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, property);
    if (descriptor !== undefined) return descriptor;
  }
  throw new RpcBindingError(`@Rpc() on ${property}: not a method`);
}
