import { createParamDecorator, SetMetadata } from '@nestjs/common';
import { currentContext, metadataKeys, type Principal } from '../core/index.js';
import { rolesKey, scopesKey } from './access-rule.js';

// RFC 6749 section 3.3: a scope is copied into the challenge between quotes, so it must not bring its own.
const scopePattern = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Lets anybody call a route or RPC, or all of a controller. A token that is sent all the same is checked: a valid one
 * says who calls, a bad one is refused.
 *
 * On a method it wins over `@Scopes` and `@Roles` of the class; beside them, on the same method or class, they win.
 */
export function Public(): MethodDecorator & ClassDecorator {
  return SetMetadata(metadataKeys.public, true);
}

/**
 * Names the scopes a caller needs, all of them. What stands on a method replaces what its class says.
 *
 * @param scopes one or more, as they stand in claim `scope`: visible ASCII without quote and backslash
 */
export function Scopes(...scopes: readonly string[]): MethodDecorator & ClassDecorator {
  const wrong = scopes.find((scope) => !scopePattern.test(scope));
  if (wrong !== undefined || scopes.length === 0) {
    throw new Error(
      `@Scopes: ${JSON.stringify(wrong ?? null)} (expected: one or more scopes of visible ASCII without quote and backslash)`,
    );
  }
  return SetMetadata(scopesKey, scopes);
}

/**
 * Names the roles of which a caller needs one. What stands on a method replaces what its class says.
 *
 * @param roles one or more, as they stand in claim `roles`
 */
export function Roles(...roles: readonly string[]): MethodDecorator & ClassDecorator {
  if (roles.length === 0 || roles.includes(''))
    throw new Error(`@Roles: ${JSON.stringify(roles)} (expected: one or more names)`);
  return SetMetadata(rolesKey, roles);
}

/**
 * Parameter: who calls, on either face. On a `@Public()` route it is `undefined` for an anonymous caller.
 *
 * @example
 * whoAmI(@Caller() caller: Principal): string { return caller.subject; }
 * greet(@Caller() caller: Principal | undefined): string { … } // @Public()
 */
export const Caller: () => ParameterDecorator = createParamDecorator(
  (): Principal | undefined => currentContext()?.principal,
);
