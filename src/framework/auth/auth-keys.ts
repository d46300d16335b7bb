import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { JWTVerifyGetKey } from 'jose';
import { type Live, type LiveListener, LiveValue } from '../core/index.js';
import { type AlgorithmFamily, keySetFamily, keySettings, secretFamily } from './algorithms.js';
import { AuthOptionsError } from './auth.errors.js';
import type { AuthOptions, JwtOptions } from './auth.options.js';
import { readPrivateKey, readPublicKey } from './key-file.js';
import { RemoteKeys } from './remote-keys.js';

/** Where the keys come from. `development`: a random secret of this process. `none`: no token can be checked. */
export type KeySource = 'secret' | 'publicKeyFile' | 'jwksUri' | 'development' | 'none';

/** What a token is signed with. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly algorithm: string;
  readonly keyId: string | undefined;
}

/** The keys of this moment and the settings they were made from: never half of one and half of the other. */
export interface KeySet {
  readonly source: KeySource;
  readonly options: AuthOptions;
  /** The key, or the way to find it; `undefined` for source `none`. */
  readonly verification: KeyObject | JWTVerifyGetKey | undefined;
  /** The only algorithms that are taken. */
  readonly algorithms: readonly string[];
  /** `undefined` where this service cannot sign. */
  readonly signing: SigningKey | undefined;
}

/** The service that tokens are for, as authentication needs to know it. */
export interface AuthIdentity {
  /** `app.name`: the audience of tokens for this service and the subject of its own. */
  readonly appName: string;
  /** `app.env`: `development` and `test` get a random key where none is configured; all others count as production. */
  readonly env: string;
}

interface Source {
  readonly source: KeySource;
  readonly verification: KeyObject | JWTVerifyGetKey | undefined;
  readonly algorithms: readonly string[];
  /** The secret, where there is one: it signs as well. */
  readonly secret: KeyObject | undefined;
}

/** Whether the environment is one where a service may make up a key and accept tokens without an end. */
export function isDevelopment(env: string): boolean {
  return env === 'development' || env === 'test';
}

/**
 * The keys of the present options. A change of the options is taken as a whole or, if a key of it cannot be used, not
 * at all: then the previous keys stay, and the `Live` that brought it is told by an `AuthOptionsError`.
 */
export class AuthKeys implements Live<KeySet> {
  readonly #identity: AuthIdentity;
  readonly #live: LiveValue<KeySet>;
  readonly #unsubscribe: () => void;
  #remote: RemoteKeys | undefined;
  #remoteSettings = '';
  #developmentSecret: KeyObject | undefined;

  /** @throws AuthOptionsError a setting cannot be used; it names the setting, not the value */
  constructor(options: Live<AuthOptions>, identity: AuthIdentity) {
    this.#identity = identity;
    this.#live = new LiveValue(this.#build(options.value));
    this.#unsubscribe = options.subscribe((next) => this.#live.publish(this.#build(next)));
  }

  get value(): KeySet {
    return this.#live.value;
  }

  subscribe(listener: LiveListener<KeySet>): () => void {
    return this.#live.subscribe(listener);
  }

  /** Stops following the options and gives up a fetch under way. May be called twice. */
  close(): void {
    this.#unsubscribe();
    this.#remote?.close();
  }

  #build(options: AuthOptions): KeySet {
    const { source, verification, algorithms, secret } = this.#sourceOf(options);
    return { source, options, verification, algorithms, signing: signingKeyOf(options, secret, algorithms) };
  }

  #sourceOf(options: AuthOptions): Source {
    const { jwt } = options;
    if (keySettings.filter((name) => jwt[name] !== undefined).length > 1) {
      throw new AuthOptionsError('auth.jwt', 'several key sources', `one of ${keySettings.join(', ')}`);
    }
    if (jwt.secret !== undefined) return fromSecret('secret', secretKey(jwt.secret), jwt);
    if (jwt.publicKeyFile !== undefined) {
      const { key, family } = readPublicKey(jwt.publicKeyFile, 'auth.jwt.publicKeyFile');
      return { source: 'publicKeyFile', verification: key, algorithms: chosen(family, jwt), secret: undefined };
    }
    if (jwt.jwksUri !== undefined) {
      const algorithms = chosen(keySetFamily, jwt);
      return {
        source: 'jwksUri',
        verification: this.#remoteKeys(jwt.jwksUri, options).find,
        algorithms,
        secret: undefined,
      };
    }
    if (!isDevelopment(this.#identity.env)) {
      return { source: 'none', verification: undefined, algorithms: [], secret: undefined };
    }
    this.#developmentSecret ??= createSecretKey(randomBytes(32));
    return fromSecret('development', this.#developmentSecret, jwt);
  }

  // A change elsewhere in the options keeps the fetched keys.
  #remoteKeys(uri: string, options: AuthOptions): RemoteKeys {
    const settings = JSON.stringify([uri, options.jwks]);
    if (this.#remote === undefined || settings !== this.#remoteSettings) {
      const next = new RemoteKeys(uri, options.jwks, () => this.#onRemoteChange(next));
      this.#remote?.close();
      this.#remote = next;
      this.#remoteSettings = settings;
    }
    return this.#remote;
  }

  // The same settings, other keys behind them: a new value, so that whoever remembers tokens forgets them.
  #onRemoteChange(remote: RemoteKeys): void {
    if (remote === this.#remote && this.value.source === 'jwksUri') this.#live.publish({ ...this.value });
  }
}

function secretKey(secret: string): KeyObject {
  const bytes = Buffer.from(secret, 'utf8');
  // RFC 7518 section 3.2: at least as long as the hash of HS256.
  if (bytes.byteLength < 32) throw new AuthOptionsError('auth.jwt.secret', 'too short', 'at least 32 bytes');
  return createSecretKey(bytes);
}

function fromSecret(source: KeySource, secret: KeyObject, jwt: JwtOptions): Source {
  return { source, verification: secret, algorithms: chosen(secretFamily, jwt), secret };
}

function chosen(family: AlgorithmFamily, jwt: JwtOptions): readonly string[] {
  const { algorithms } = jwt;
  if (algorithms === undefined) return family.usual;
  const stranger = algorithms.find((algorithm) => !family.possible.includes(algorithm));
  if (stranger !== undefined || algorithms.length === 0) {
    throw new AuthOptionsError(
      'auth.jwt.algorithms',
      stranger ?? 'none named',
      `out of ${family.possible.join(', ')}, as the key is`,
    );
  }
  return algorithms;
}

function signingKeyOf(
  options: AuthOptions,
  secret: KeyObject | undefined,
  algorithms: readonly string[],
): SigningKey | undefined {
  const { privateKeyFile, keyId } = options.service;
  if (privateKeyFile !== undefined) {
    const { key, family } = readPrivateKey(privateKeyFile, 'auth.service.privateKeyFile');
    return { key, algorithm: family.usual[0] as string, keyId };
  }
  return secret === undefined ? undefined : { key: secret, algorithm: algorithms[0] as string, keyId };
}
