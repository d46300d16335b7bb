import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import {
  currentContext,
  type HandlerTarget,
  isToken,
  type OperatorAccess,
  type OperatorScope,
  type PreparedCheck,
  type PreparedGuard,
  prepareGuard,
  type Principal,
  type RequestContext,
  type RookeryError,
  trimOws,
} from '../core/index.js';
import { type AccessRule, accessRuleOf } from './access-rule.js';
import { RoleMissingError, ScopeMissingError, TokenMalformedError, TokenMissingError } from './auth.errors.js';
import { AuthKeys } from './auth-keys.js';
import { TokenVerifier } from './token-verifier.js';

// Any valid token, whose scopes are looked at afterwards: one of two is enough.
const anyToken: AccessRule = { isPublic: false, isProbe: false, scopes: [], roles: [], isDeferred: false };

/**
 * Says who calls and whether they may, on both faces. Every route is protected unless it is `@Public()`; probes are not
 * looked at. It works synchronously for a token that was seen before.
 *
 * A caller without the scopes or roles of a handler with `@Input()` is refused after validation, by
 * `RequestContext.denial`; all other refusals are thrown at once.
 */
@Injectable()
export class AuthGuard implements CanActivate, PreparedGuard, OperatorAccess {
  readonly #verifier: TokenVerifier;
  readonly #keys: AuthKeys;
  readonly #rules = new WeakMap<object, WeakMap<object, AccessRule>>();

  constructor(verifier: TokenVerifier, keys: AuthKeys) {
    this.#verifier = verifier;
    this.#keys = keys;
  }

  [prepareGuard]({ controller, handler }: HandlerTarget): PreparedCheck | undefined {
    const rule = accessRuleOf(controller, handler);
    return rule.isProbe ? undefined : () => this.#check(rule);
  }

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    const rule = this.#ruleOf(execution);
    return rule.isProbe || this.#check(rule);
  }

  admitOperator(scope: OperatorScope): boolean | Promise<boolean> {
    const verdict = this.#check(anyToken);
    return verdict instanceof Promise ? verdict.then(() => requireScope(scope)) : requireScope(scope);
  }

  #check(rule: AccessRule): boolean | Promise<boolean> {
    const context = currentContext();
    if (context === undefined)
      throw new Error('AuthGuard: no request context (expected: a request of the http or grpc face)');
    const token = this.#tokenOf(context);
    // A service without keys has public routes only: whatever the token says, nobody could check it, nobody asks.
    if (token === undefined || (rule.isPublic && this.#keys.value.source === 'none')) {
      if (rule.isPublic) return true;
      throw new TokenMissingError();
    }
    const principal = this.#verifier.verify(token, context.peer);
    if (principal instanceof Promise) return principal.then((known) => admit(context, rule, known));
    return admit(context, rule, principal);
  }

  #tokenOf(context: RequestContext): string | undefined {
    try {
      return bearerToken(context.header('authorization'));
    } catch (error) {
      this.#verifier.noteMalformed(context.peer);
      throw error;
    }
  }

  // By class and handler: a handler inherited by two controllers may have two rules.
  #ruleOf(execution: ExecutionContext): AccessRule {
    const controller = execution.getClass();
    const handler = execution.getHandler();
    let rules = this.#rules.get(controller);
    if (rules === undefined) this.#rules.set(controller, (rules = new WeakMap<object, AccessRule>()));
    let rule = rules.get(handler);
    if (rule === undefined) rules.set(handler, (rule = accessRuleOf(controller, handler)));
    return rule;
  }
}

function admit(context: RequestContext, rule: AccessRule, principal: Principal): true {
  context.principal = principal;
  context.tenant = principal.tenant;
  const denial = denialOf(rule, principal);
  if (denial === undefined) return true;
  if (!rule.isDeferred) throw denial;
  context.denial = denial;
  return true;
}

function requireScope(scope: OperatorScope): true {
  const scopes = currentContext()?.principal?.scopes;
  if (scopes?.has(scope) === true || scopes?.has('process:read') === true) return true;
  throw new ScopeMissingError([scope], [scope]);
}

function denialOf(rule: AccessRule, principal: Principal): RookeryError | undefined {
  if (!rule.scopes.every((scope) => principal.scopes.has(scope))) {
    return new ScopeMissingError(
      rule.scopes,
      rule.scopes.filter((scope) => !principal.scopes.has(scope)),
    );
  }
  if (rule.roles.length > 0 && !rule.roles.some((role) => principal.roles.has(role)))
    return new RoleMissingError(rule.roles);
  return undefined;
}

/**
 * The token of an `authorization` header; `undefined` where there is none, or another scheme.
 *
 * @throws TokenMalformedError scheme Bearer and something else than one token after it
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
function bearerToken(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const header = trimOws(value);
  if (header.slice(0, scheme.length).toLowerCase() !== scheme) return undefined;
  let at = scheme.length;
  if (header.charCodeAt(at) !== space) {
    // A scheme is a token, so that a longer one is another scheme: RFC 9110 section 11.1.
    if (at < header.length && isToken(header.charAt(at))) return undefined;
    throw new TokenMalformedError();
  }
  while (header.charCodeAt(at) === space) at += 1;
  const token = header.slice(at);
  // The verifier looks at the other characters of a token that it does not remember.
  if (token === '' || token.includes(' ') || token.includes(',')) throw new TokenMalformedError();
  return token;
}

const scheme = 'bearer';
const space = 0x20;
