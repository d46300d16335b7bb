import { createSecretKey, KeyObject, randomBytes } from 'node:crypto';
import type { JWTVerifyGetKey } from 'jose';
import { isLocalEnvironment, type Live, type LiveListener, type LiveSubscriber, LiveValue } from '../core/index.js';
import { type AlgorithmFamily, keySetFamily, keySettings, secretFamily } from './algorithms.js';
import { AuthOptionsError } from './auth.errors.js';
import type { AuthOptions, JwtOptions } from './auth.options.js';
import { KeyFilesPoll } from './key-files-poll.js';
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

/** A key and the only algorithms that are taken with it. */
export interface Verification {
  readonly key: KeyObject | JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

/** The keys of this moment and the settings they were made from: never half of one and half of the other. */
export interface KeySet {
  readonly source: KeySource;
  readonly options: AuthOptions;
  /** The key, or the way to find it; `undefined` for source `none`. */
  readonly verification: KeyObject | JWTVerifyGetKey | undefined;
  /** The only algorithms that are taken. */
  readonly algorithms: readonly string[];
  /** Keys whose tokens are taken as well. */
  readonly previous: readonly Verification[];
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
  readonly remote?: RemoteKeys;
}

/** How keys that change are noticed, and whom to tell of what goes wrong. */
export interface AuthKeysInit {
  /** Gets one line for what was not taken over. */
  readonly warn?: (line: string) => void;
  /** Time between two looks at key files, in ms. */
  readonly filePollMs?: number;
}

// Two looks have to agree, so a new key serves within about two seconds.
const defaultFilePollMs = 1000;

interface Candidate {
  readonly of: AuthOptions;
  readonly keys: KeySet;
  readonly remote: RemoteKeys | undefined;
}

/**
 * The keys of the present options, and of what their files hold. A change is taken as a whole or, if a key of it cannot be
 * used, not at all: the change of the options is refused then, of a file reported, and the previous keys serve on.
 *
 * Tokens of a key that is no longer named are refused at once; those of `previousSecret` and `previousPublicKeyFile` are
 * taken for as long as these are named. Where `jwksUri` changes, the keys of the former one serve until the new one has
 * answered for the first time.
 */
export class AuthKeys implements Live<KeySet> {
  readonly #identity: AuthIdentity;
  readonly #live: LiveValue<KeySet>;
  readonly #unsubscribe: () => void;
  readonly #files: KeyFilesPoll;
  readonly #warn: (line: string) => void;
  #remote: RemoteKeys | undefined;
  #remoteSettings = '';
  #developmentSecret: KeyObject | undefined;
  #candidate: Candidate | undefined;

  /** @throws AuthOptionsError a setting cannot be used; it names the setting, not the value */
  constructor(options: Live<AuthOptions>, identity: AuthIdentity, init: AuthKeysInit = {}) {
    this.#identity = identity;
    this.#warn = init.warn ?? (() => {});
    const first = this.#build(options.value);
    this.#live = new LiveValue(first.keys);
    this.#keepRemote(first);
    this.#unsubscribe = options.subscribe({
      prepare: (next) => {
        this.#candidate = this.#prepare(next);
      },
      commit: (next) => this.#commit(this.#candidate?.of === next ? this.#candidate : this.#build(next)),
    });
    this.#files = new KeyFilesPoll({
      paths: () => keyFilesOf(this.value.options),
      onChange: () => this.#onFileChange(),
      everyMs: init.filePollMs ?? defaultFilePollMs,
    });
  }

  get value(): KeySet {
    return this.#live.value;
  }

  subscribe(subscriber: LiveListener<KeySet> | LiveSubscriber<KeySet>): () => void {
    return this.#live.subscribe(subscriber);
  }

  /** Stops following the options and gives up a fetch under way. May be called twice. */
  close(): void {
    this.#unsubscribe();
    this.#files.close();
    this.#remote?.close();
  }

  #prepare(next: AuthOptions): Candidate {
    const candidate = this.#build(next);
    // Whatever is protected would let nobody in: a slip, and not what anybody wants of a running service.
    if (candidate.keys.source === 'none' && this.value.source !== 'none') {
      throw new AuthOptionsError('auth.jwt', 'no key any more', `one of ${keySettings.join(', ')}`);
    }
    return candidate;
  }

  #commit(candidate: Candidate): void {
    this.#candidate = undefined;
    this.#keepRemote(candidate);
    this.#live.publish(candidate.keys);
    this.#files.start();
  }

  #onFileChange(): void {
    try {
      const { keys } = this.#build(this.value.options);
      // What is published makes everybody forget the tokens seen so far.
      if (!hasSameKeys(keys, this.value)) this.#live.publish(keys);
    } catch (error) {
      this.#warn(
        `key file not taken over, the key before serves: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #build(options: AuthOptions): Candidate {
    const { source, verification, algorithms, secret, remote } = this.#sourceOf(options);
    const signing = signingKeyOf(options, secret, algorithms);
    const previous = previousOf(options.jwt);
    return { of: options, keys: { source, options, verification, algorithms, previous, signing }, remote };
  }

  #sourceOf(options: AuthOptions): Source {
    const { jwt } = options;
    if (keySettings.filter((name) => jwt[name] !== undefined).length > 1) {
      throw new AuthOptionsError('auth.jwt', 'several key sources', `one of ${keySettings.join(', ')}`);
    }
    if (jwt.secret !== undefined) return fromSecret('secret', secretKey(jwt.secret, 'auth.jwt.secret'), jwt);
    if (jwt.publicKeyFile !== undefined) {
      const { key, family } = readPublicKey(jwt.publicKeyFile, 'auth.jwt.publicKeyFile');
      return { source: 'publicKeyFile', verification: key, algorithms: chosen(family, jwt), secret: undefined };
    }
    if (jwt.jwksUri !== undefined) {
      const algorithms = chosen(keySetFamily, jwt);
      const remote = this.#remoteKeys(jwt.jwksUri, options);
      return { source: 'jwksUri', verification: remote.find, algorithms, secret: undefined, remote };
    }
    if (!isLocalEnvironment(this.#identity.env)) {
      return { source: 'none', verification: undefined, algorithms: [], secret: undefined };
    }
    this.#developmentSecret ??= createSecretKey(randomBytes(32));
    return fromSecret('development', this.#developmentSecret, jwt);
  }

  // A change elsewhere in the options keeps the fetched keys.
  #remoteKeys(uri: string, { jwks }: AuthOptions): RemoteKeys {
    if (this.#remote !== undefined && remoteSettings(uri, jwks) === this.#remoteSettings) return this.#remote;
    const predecessor = this.#remote?.serving;
    const next = new RemoteKeys(uri, jwks, {
      onChange: () => this.#onRemoteChange(next),
      warn: this.#warn,
      ...(predecessor !== undefined && { predecessor }),
    });
    return next;
  }

  #keepRemote({ remote, of: { jwt, jwks } }: Candidate): void {
    if (remote === this.#remote) return;
    this.#remote?.close();
    this.#remote = remote;
    this.#remoteSettings = remoteSettings(jwt.jwksUri ?? '', jwks);
    remote?.begin();
  }

  // The same settings, other keys behind them: a new value, so that whoever remembers tokens forgets them.
  #onRemoteChange(remote: RemoteKeys): void {
    if (remote === this.#remote && this.value.source === 'jwksUri') this.#live.publish({ ...this.value });
  }
}

function hasSameKeys(one: KeySet, other: KeySet): boolean {
  const keysOf = ({ verification, previous, signing }: KeySet): unknown[] => [
    verification,
    signing?.key,
    ...previous.map(({ key }) => key),
  ];
  const others = keysOf(other);
  return keysOf(one).every((key, at) => {
    const counterpart = others[at];
    return (
      key === counterpart || (key instanceof KeyObject && counterpart instanceof KeyObject && key.equals(counterpart))
    );
  });
}

function remoteSettings(uri: string, jwks: AuthOptions['jwks']): string {
  return JSON.stringify([uri, jwks]);
}

function keyFilesOf({ jwt, service }: AuthOptions): string[] {
  const paths = [jwt.publicKeyFile, jwt.previousPublicKeyFile, service.privateKeyFile];
  return paths.filter((path) => path !== undefined);
}

function previousOf(jwt: JwtOptions): Verification[] {
  const previous: Verification[] = [];
  if (jwt.previousSecret !== undefined) {
    const key = secretKey(jwt.previousSecret, 'auth.jwt.previousSecret');
    previous.push({ key, algorithms: fitting(secretFamily, jwt) });
  }
  if (jwt.previousPublicKeyFile !== undefined) {
    const { key, family } = readPublicKey(jwt.previousPublicKeyFile, 'auth.jwt.previousPublicKeyFile');
    previous.push({ key, algorithms: fitting(family, jwt) });
  }
  return previous;
}

// `auth.jwt.algorithms` is for the present key; one of another kind has those of its own.
function fitting(family: AlgorithmFamily, { algorithms = [] }: JwtOptions): readonly string[] {
  const named = algorithms.filter((algorithm) => family.possible.includes(algorithm));
  return named.length > 0 ? named : family.usual;
}

function secretKey(secret: string, setting: string): KeyObject {
  const bytes = Buffer.from(secret, 'utf8');
  // RFC 7518 section 3.2: at least as long as the hash of HS256.
  if (bytes.byteLength < 32) throw new AuthOptionsError(setting, 'too short', 'at least 32 bytes');
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
