// class-transformer's @Type needs it, whoever is loaded first.
import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  IsUrl,
  Max,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { ConfigPrefix, KeptOnRollback, Secret } from '../core/index.js';
import { keySettings, signatureAlgorithms } from './algorithms.js';

// RFC 7518 section 3.2: the key of HS256 has at least the 256 bits of its hash.
const minSecretBytes = 32;

function IsLongSecret(): PropertyDecorator {
  return ValidateBy({
    name: 'isLongSecret',
    validator: {
      validate: (value) => typeof value === 'string' && Buffer.byteLength(value) >= minSecretBytes,
      defaultMessage: () => `$property must be at least ${minSecretBytes} bytes long`,
    },
  });
}

function HasOneKeySource(): PropertyDecorator {
  return ValidateBy({
    name: 'hasOneKeySource',
    validator: {
      validate: (value) =>
        keySettings.filter((name) => (value as Partial<Record<string, unknown>> | undefined)?.[name] !== undefined)
          .length <= 1,
      defaultMessage: () => `$property must be a mapping with at most one of ${keySettings.join(', ')}`,
    },
  });
}

/** Which tokens are taken; the section `auth.jwt` of the configuration. Name one of `secret`, `publicKeyFile`, `jwksUri`. */
export class JwtOptions {
  /** Shared secret of HS256 tokens, at least 32 bytes of UTF-8. */
  @IsOptional()
  @Secret()
  @IsLongSecret()
  readonly secret?: string;

  /**
   * Path of a public key: PEM (SPKI, PKCS #1 or a certificate) or one JWK. Its type decides the algorithm. Other content
   * of the file is taken over within about two seconds.
   */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly publicKeyFile?: string;

  /** URL of a JSON Web Key Set. */
  @IsOptional()
  @IsUrl({ protocols: ['https', 'http'], require_tld: false, require_protocol: true })
  readonly jwksUri?: string;

  /**
   * Another shared secret whose tokens are taken for as long as it stands here, whatever the key is: the former one until
   * its tokens have expired, or the next one before anybody signs with it. At least 32 bytes of UTF-8.
   */
  @IsOptional()
  @Secret()
  @IsLongSecret()
  readonly previousSecret?: string;

  /** The same by a public key file. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly previousPublicKeyFile?: string;

  /** Expected claim `iss`; any where it is not set. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly issuer?: string;

  /**
   * Claim `aud` that every token must carry. Where it is not set, a token without `aud` is taken, and one that has it
   * must name this service by `app.name`.
   *
   * @see https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3
   */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly audience?: string;

  /** Accepted signature algorithms, out of those that fit the key; where it is not set, the usual one of the key's type. */
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @IsIn(signatureAlgorithms, { each: true })
  readonly algorithms?: string[];

  /** By how much the issuer's clock may differ, in ms. */
  @IsInt()
  @Min(0)
  @Max(300_000)
  readonly clockToleranceMs: number = 1000;

  /** Whether a token must carry `exp`. Where it is not set: in every environment but development and test. */
  @IsOptional()
  @IsBoolean()
  readonly requireExpiration?: boolean;
}

/** How the key set at `auth.jwt.jwksUri` is fetched and kept; the section `auth.jwks` of the configuration. */
export class JwksOptions {
  /** Time limit of one fetch, in ms. */
  @IsInt()
  @Min(100)
  @Max(5000)
  readonly fetchTimeoutMs: number = 5000;

  /** Shortest time between a fetch and the next one that an unknown `kid` causes, in ms. */
  @IsInt()
  @Min(0)
  @Max(3_600_000)
  readonly cooldownMs: number = 30_000;

  /** Time after which the key set is fetched again, in ms. */
  @IsInt()
  @Min(1000)
  @Max(86_400_000)
  readonly maxAgeMs: number = 600_000;

  /** How long the last key set serves on, in ms after it should have been fetched again, while the URL does not answer. */
  @IsInt()
  @Min(0)
  @Max(86_400_000)
  readonly maxStaleMs: number = 3_600_000;

  /** Time after a failed fetch in which none is tried and tokens of unknown keys are refused at once, in ms. */
  @IsInt()
  @Min(0)
  @Max(60_000)
  readonly retryDelayMs: number = 2000;
}

/** Tokens this service shows to others; the section `auth.service` of the configuration. */
export class ServiceTokenOptions {
  /** Name in `sub` (and in `iss` unless `auth.jwt.issuer` is set); `app.name` where it is not set. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly name?: string;

  /** Life of a token, in ms. */
  @IsInt()
  @Min(5000)
  @Max(3_600_000)
  readonly tokenTtlMs: number = 60_000;

  /** Path of the private key (PEM, PKCS #8 or a JWK) to sign with; `auth.jwt.secret` signs where it is not set. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @KeptOnRollback()
  readonly privateKeyFile?: string;

  /** Header `kid` of the tokens, for peers that look the key up in a key set. */
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @KeptOnRollback()
  readonly keyId?: string;
}

/** The memory of tokens already verified; the section `auth.cache` of the configuration. */
export class TokenCacheOptions {
  /** Tokens kept; the one not used for longest makes room. 0 keeps none. */
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly maxTokens: number = 10_000;

  /** Longest time a token is not looked at again, in ms; never beyond its `exp`. */
  @IsInt()
  @Min(0)
  @Max(3_600_000)
  readonly ttlMs: number = 60_000;
}

/**
 * Tokens with a wrong signature, an unknown key or no form at all that one peer may send; the section `auth.failures` of the
 * configuration. Expired tokens do not count. Beyond, tokens that were not found valid before are refused unchecked, with
 * RESOURCE_EXHAUSTED / 429. A peer is an IPv4 address or the first 64 bits of an IPv6 address.
 */
export class FailureOptions {
  /** At once; 0: no limit. */
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly burst: number = 50;

  /** In each second, in the long run. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly perSecond: number = 5;
}

/** Settings of authentication; the section `auth` of the configuration. */
@ConfigPrefix('auth')
export class AuthOptions {
  /** Which tokens are taken. */
  @IsDefined()
  @ValidateNested()
  @Type(() => JwtOptions)
  @KeptOnRollback()
  @HasOneKeySource()
  readonly jwt: JwtOptions = new JwtOptions();

  /** How a key set is fetched and kept. */
  @IsDefined()
  @ValidateNested()
  @Type(() => JwksOptions)
  readonly jwks: JwksOptions = new JwksOptions();

  /** Tokens this service shows to others. */
  @IsDefined()
  @ValidateNested()
  @Type(() => ServiceTokenOptions)
  readonly service: ServiceTokenOptions = new ServiceTokenOptions();

  /** The memory of tokens already verified. */
  @IsDefined()
  @ValidateNested()
  @Type(() => TokenCacheOptions)
  readonly cache: TokenCacheOptions = new TokenCacheOptions();

  /** Tokens that are not valid. */
  @IsDefined()
  @ValidateNested()
  @Type(() => FailureOptions)
  readonly failures: FailureOptions = new FailureOptions();
}

/** Token of the present `AuthOptions`, as `Live<AuthOptions>`. */
export const AUTH_OPTIONS: unique symbol = Symbol('AUTH_OPTIONS');
