/**
 * Who calls, and whether they may: bearer tokens checked the same way on both faces, routes protected unless they are
 * `@Public()`, and tokens of this service for its own calls to others.
 *
 * @example
 * @Post() @Rpc() @Scopes('users:write')
 * createUser(@Input() input: CreateUserInput, @Caller() caller: Principal): Promise<User> { … }
 */
export { AuthModule } from './auth.module.js';
export {
  AUTH_OPTIONS,
  AuthOptions,
  FailureOptions,
  JwksOptions,
  JwtOptions,
  ServiceTokenOptions,
  TokenCacheOptions,
} from './auth.options.js';
export { Caller, Public, Roles, Scopes } from './auth.decorator.js';
export { AuthGuard } from './auth.guard.js';
export { TokenVerifier } from './token-verifier.js';
export { ServiceTokens } from './service-tokens.js';
export { type DevelopmentGrant, DevelopmentToken } from './development-token.js';
export { type AccessRule, accessRuleOf, type ControllerClass } from './access-rule.js';
export { type AuthIdentity, AuthKeys, type KeySet, type KeySource, type SigningKey } from './auth-keys.js';
export { assertKeysConfigured } from './key-assertion.js';
export {
  AuthOptionsError,
  KeysUnavailableError,
  RoleMissingError,
  ScopeMissingError,
  TokenAlgorithmRefusedError,
  TokenAudienceMismatchError,
  TokenClaimInvalidError,
  TokenExpiredError,
  TokenIssuerMismatchError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenMissingError,
  TokenNotYetValidError,
  TokenSignatureInvalidError,
  TooManyFailedTokensError,
  UnauthenticatedError,
} from './auth.errors.js';
