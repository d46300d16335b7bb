import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { KeysUnavailableError } from './auth.errors.js';
import type { JwksOptions } from './auth.options.js';

// All keys are looked through for each token that is not remembered, forged ones included.
const maxKeys = 256;

// A key set has a few kilobytes; more is not one, and would be kept in memory.
const maxKeySetBytes = 1_048_576;

/** What surrounds a key set. */
export interface RemoteKeysInit {
  /** Called when a fetch brought other keys than those that served before. */
  readonly onChange: () => void;
  /** Whose keys serve until the first fetch has succeeded. */
  readonly predecessor?: RemoteKeys;
  /** Told once that the first fetch has failed while a predecessor serves. */
  readonly warn?: (line: string) => void;
}

/**
 * The keys at a JWKS URL: fetched when first needed and when too old, and again, at most once per cooldown, when a
 * token names a key that is not among them. While the URL does not answer, the last key set serves on for a limited
 * time; then, and for keys it does not know, `KeysUnavailableError` says so: an outage is not the caller's fault.
 */
export class RemoteKeys {
  readonly #options: JwksOptions;
  readonly #remote: ReturnType<typeof createRemoteJWKSet>;
  readonly #init: RemoteKeysInit;
  readonly #closing = new AbortController();
  #last: JWTVerifyGetKey | undefined;
  #predecessor: RemoteKeys | undefined;
  #lastText: string | undefined;
  #fetchedAtMs = 0;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #failure: unknown;

  constructor(uri: string, options: JwksOptions, init: RemoteKeysInit) {
    this.#options = options;
    this.#init = init;
    this.#predecessor = init.predecessor;
    this.#remote = createRemoteJWKSet(new URL(uri), {
      timeoutDuration: options.fetchTimeoutMs,
      cooldownDuration: options.cooldownMs,
      cacheMaxAge: options.maxAgeMs,
      [customFetch]: this.#fetch,
    });
  }

  /**
   * Finds the key of a token by its header.
   *
   * @throws KeysUnavailableError the keys cannot be had
   * @throws JWKSNoMatchingKey, JWKSMultipleMatchingKeys (jose) the token's header fits no key, or several
   */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    try {
      return await this.#remote(header, token);
    } catch (error) {
      if (isAboutToken(error)) throw error;
      if (this.#predecessor !== undefined) return this.#predecessor.find(header, token);
      const unavailable = new KeysUnavailableError(this.#options.retryDelayMs, { cause: error });
      const staleForMs = Date.now() - this.#fetchedAtMs - this.#options.maxAgeMs;
      if (this.#last === undefined || staleForMs > this.#options.maxStaleMs) throw unavailable;
      try {
        return await this.#last(header, token);
      } catch {
        // A key that is not among those of yesterday may be among those that cannot be fetched.
        throw unavailable;
      }
    }
  };

  /** Whose keys serve now: its own, else those of its predecessor; `undefined` when none were ever fetched. */
  get serving(): RemoteKeys | undefined {
    return this.#last === undefined ? this.#predecessor : this;
  }

  /** Fetches at once where a predecessor serves: who has only its keys is to be refused soon, whoever asks meanwhile. */
  begin(): void {
    if (this.#predecessor === undefined) return;
    this.#remote.reload().catch((error: unknown) => {
      if (this.#closing.signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#init.warn?.(`key set of auth.jwt.jwksUri not fetched, the keys before serve: ${reason}`);
    });
  }

  /** Gives up a fetch under way, and fetches no more; what was fetched serves a successor. May be called twice. */
  close(): void {
    this.#closing.abort();
    this.#predecessor = undefined;
  }

  // Every fetch goes through here. After a failure the next ones fail at once for a while: else each token of an
  // unknown key would wait for, and knock at, a peer in distress.
  readonly #fetch: FetchImplementation = async (url, init) => {
    if (Date.now() - this.#failedAtMs < this.#options.retryDelayMs) throw this.#failure;
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.any([init.signal, this.#closing.signal]) });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`key set: HTTP status ${response.status} (expected: 200)`);
      }
      const text = await readBounded(response);
      this.#accept(text);
      return new Response(text, { status: 200 });
    } catch (error) {
      this.#failure = error;
      this.#failedAtMs = Date.now();
      throw error;
    }
  };

  #accept(text: string): void {
    // Throws for what is no key set, so that the good one stays.
    const set = JSON.parse(text) as JSONWebKeySet;
    const keys = createLocalJWKSet(set);
    if (set.keys.length > maxKeys) throw new Error(`key set: ${set.keys.length} keys (expected: at most ${maxKeys})`);
    const before = this.#predecessor === undefined ? this.#lastText : this.#predecessor.#lastText;
    const isChange = before !== undefined && before !== text;
    this.#predecessor = undefined;
    this.#last = keys;
    this.#lastText = text;
    this.#fetchedAtMs = Date.now();
    if (isChange) this.#init.onChange();
  }
}

function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxKeySetBytes) throw new Error(`key set: more than ${maxKeySetBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
