import { errors } from 'jose';
import {
  TokenAlgorithmRefusedError,
  TokenAudienceMismatchError,
  TokenClaimInvalidError,
  TokenExpiredError,
  TokenIssuerMismatchError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenNotYetValidError,
  TokenSignatureInvalidError,
} from './auth.errors.js';

/**
 * Puts jose's errors into ours; what is neither about the token nor ours stays as it is, and so becomes INTERNAL.
 * Jose's errors about claims carry the claims: they are no cause of ours, so that no log has them.
 *
 * @param accepted the algorithms that are taken, for the caller to know
 */
export function toTokenError(error: unknown, accepted: readonly string[]): unknown {
  if (error instanceof errors.JWTExpired) return new TokenExpiredError();
  if (error instanceof errors.JWTClaimValidationFailed) return toClaimError(error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return new TokenSignatureInvalidError();
  if (error instanceof errors.JOSEAlgNotAllowed) return new TokenAlgorithmRefusedError(accepted);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return new TokenKeyUnknownError();
  }
  if (
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JOSENotSupported
  ) {
    return new TokenMalformedError();
  }
  return error;
}

function toClaimError({ claim, reason }: errors.JWTClaimValidationFailed): Error {
  if (claim === 'aud') return new TokenAudienceMismatchError();
  if (claim === 'iss') return new TokenIssuerMismatchError();
  if (claim === 'nbf' && reason === 'check_failed') return new TokenNotYetValidError();
  return new TokenClaimInvalidError(claim, claim === 'sub' ? 'a string' : 'a number');
}
