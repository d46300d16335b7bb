import type { DescMethod } from '@bufbuild/protobuf';
import { metadataKeys } from '../core/index.js';

/** Where `@Scopes` leaves its word. */
export const scopesKey = 'rookery:scopes';
/** Where `@Roles` leaves its word. */
export const rolesKey = 'rookery:roles';

/** A controller class, as `ExecutionContext.getClass()` gives it. */
export interface ControllerClass {
  readonly prototype: object;
  readonly name: string;
}

/** Who may call a handler. */
export interface AccessRule {
  /** Anybody; scopes and roles are then empty. */
  readonly isPublic: boolean;
  /** A probe: authentication does not look at it at all. */
  readonly isProbe: boolean;
  /** All of these are needed. */
  readonly scopes: readonly string[];
  /** One of these is needed, unless there are none. */
  readonly roles: readonly string[];
  /** The handler has a validated input: a refusal for scopes or roles is told after validation. */
  readonly isDeferred: boolean;
}

/**
 * Reads the access rule of a handler from its decorators: those of the method, and where it has none of the kind, those
 * of the class. It reflects: keep the result.
 *
 * @param handler the controller's method itself
 */
export function accessRuleOf(controller: ControllerClass, handler: object): AccessRule {
  const scopes = namesOf(scopesKey, handler);
  const roles = namesOf(rolesKey, handler);
  // A word of the method itself decides; of two on the same level the stricter one does.
  const isPublicMethod = isMarked(metadataKeys.public, handler) && scopes === undefined && roles === undefined;
  const rule = {
    scopes: isPublicMethod ? [] : (scopes ?? namesOf(scopesKey, controller) ?? []),
    roles: isPublicMethod ? [] : (roles ?? namesOf(rolesKey, controller) ?? []),
  };
  const isFree = rule.scopes.length === 0 && rule.roles.length === 0;
  return {
    ...rule,
    isPublic: isPublicMethod || (isFree && isMarked(metadataKeys.public, controller)),
    isProbe: isMarked(metadataKeys.probe, handler) || isMarked(metadataKeys.probe, controller),
    isDeferred: hasInput(controller, handler) && !readsStream(handler),
  };
}

function namesOf(key: string, target: object): readonly string[] | undefined {
  return Reflect.getMetadata(key, target) as readonly string[] | undefined;
}

function isMarked(key: string, target: object): boolean {
  return Reflect.getMetadata(key, target) === true;
}

// `@Input()` marks the prototype and the method's name, which a decorator that wraps the method does not keep.
function hasInput(controller: ControllerClass, handler: object): boolean {
  const name = nameOf(controller.prototype, handler) ?? (handler as { readonly name?: string }).name ?? '';
  return Reflect.getMetadata(metadataKeys.input, controller.prototype, name) === true;
}

function nameOf(prototype: object, handler: object): string | undefined {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const entry = Object.entries(Object.getOwnPropertyDescriptors(at)).find(([, { value }]) => value === handler);
    if (entry !== undefined) return entry[0];
  }
  return undefined;
}

// The messages of a stream are validated while the handler runs: a refusal would come too late.
function readsStream(handler: object): boolean {
  const kind = (Reflect.getMetadata(metadataKeys.rpc, handler) as DescMethod | undefined)?.methodKind;
  return kind === 'client_streaming' || kind === 'bidi_streaming';
}
