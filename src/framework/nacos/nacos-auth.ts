import { NacosDeniedError, NacosTimeoutError, NacosUnavailableError } from './nacos.errors.js';
import type { NacosSettings } from './nacos.options.js';
import { askHttp, type HttpAnswer } from './http-request.js';
import { addressOf, type NacosServer } from './server-list.js';

/** 3.x first; 2.x answers 404 to it and knows the second, which 3.2 no longer has. */
const loginPaths = ['/v3/auth/user/login', '/v1/auth/login'] as const;

// The last tenth of a token's life is for renewing it; Nacos' own clients do the same.
const renewalShare = 0.1;
// Renewals that fail are tried again with the next request, but not more often.
const renewalPauseMs = 1000;

// A token is some hundred bytes.
const maxAnswerBytes = 65_536;

const noHeaders: Readonly<Record<string, string>> = {};

interface Token {
  readonly headers: Readonly<Record<string, string>>;
  readonly renewAt: number;
  readonly expiresAt: number;
}

/** Logs in by HTTP and keeps the token fresh. Without user and password it does nothing. Measures time by a clock that nobody sets. */
export class NacosAuth {
  readonly #settings: NacosSettings;
  readonly #now: () => number;
  #token: Token | undefined;
  #login: Promise<Token> | undefined;
  #nextRenewalAt = 0;
  #path: string | undefined;

  constructor(settings: NacosSettings, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#now = now;
  }

  /**
   * What goes with every request. Waits only where there is no valid token; one near its end is renewed meanwhile.
   *
   * @param servers asked in this order
   * @throws NacosDeniedError, NacosUnavailableError, NacosTimeoutError
   */
  async headers(servers: readonly NacosServer[], signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    if (this.#settings.login === undefined) return noHeaders;
    const now = this.#now();
    const token = this.#token;
    if (token === undefined || now >= token.expiresAt) return (await this.#renewed(servers, signal)).headers;
    if (now >= token.renewAt && now >= this.#nextRenewalAt) {
      this.#nextRenewalAt = now + renewalPauseMs;
      // The old one serves meanwhile; that it could not be renewed shows when it has expired.
      this.#renewed(servers, signal).catch(() => {});
    }
    return token.headers;
  }

  /** The server did not accept these headers: the next call of `headers` logs in again, unless somebody has already. */
  refuse(headers: Readonly<Record<string, string>>): void {
    if (this.#token?.headers === headers) this.#token = undefined;
  }

  /** Takes the secrets out of a text of the server. */
  redact(text: string): string {
    const secrets = [this.#settings.login?.password, this.#token?.headers['accessToken']];
    return secrets.reduce<string>((rest, secret) => (secret ? rest.replaceAll(secret, '***') : rest), text);
  }

  #renewed(servers: readonly NacosServer[], signal: AbortSignal): Promise<Token> {
    this.#login ??= this.#logIn(servers, signal).finally(() => {
      this.#login = undefined;
    });
    return this.#login;
  }

  async #logIn(servers: readonly NacosServer[], signal: AbortSignal): Promise<Token> {
    let failure: unknown;
    for (const server of servers) {
      try {
        const token = await this.#logInAt(server, signal);
        this.#token = token;
        return token;
      } catch (error) {
        if (signal.aborted) throw error;
        failure = failure instanceof NacosDeniedError ? failure : error;
      }
    }
    throw failure;
  }

  async #logInAt(server: NacosServer, signal: AbortSignal): Promise<Token> {
    let status = 0;
    for (const path of loginPaths.toSorted((a, b) => Number(b === this.#path) - Number(a === this.#path))) {
      const startedAt = this.#now();
      const answer = await this.#ask(server, path, signal);
      const token = tokenIn(answer, startedAt);
      if (token !== undefined) {
        this.#path = path;
        return token;
      }
      // What a server says to the password is more use than that it does not know the other way in.
      if (status === 0 || !isAbsent(answer.status)) status = answer.status;
      // Where the path has worked before, only its absence says that the other one should be tried: the server is another one.
      if (path === this.#path && !isAbsent(status)) break;
    }
    // Not 401 alone: 3.1 answers a wrong password with 500.
    const hint = [401, 403, 500].includes(status) ? '; wrong username or password?' : '';
    throw new NacosDeniedError(`nacos: no login at ${addressOf(server)} (HTTP status ${status}${hint})`);
  }

  async #ask(server: NacosServer, path: string, signal: AbortSignal): Promise<HttpAnswer> {
    const { contextPath, loginTls, login, connectTimeoutMs } = this.#settings;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
    const form = new URLSearchParams(login).toString();
    try {
      const question = { method: 'POST', path: contextPath + path, form, tls: loginTls, maxAnswerBytes } as const;
      return await askHttp(server, question, limit);
    } catch (error) {
      if (limit.aborted && !signal.aborted) {
        throw new NacosTimeoutError(`nacos: no login at ${addressOf(server)} within ${connectTimeoutMs} ms`);
      }
      const { code } = error as NodeJS.ErrnoException;
      const why = code === undefined ? '' : ` (${code})`;
      throw new NacosUnavailableError(`nacos: no login at ${addressOf(server)}${why}`, { cause: error });
    }
  }
}

function isAbsent(status: number): boolean {
  return [404, 405, 410].includes(status);
}

function tokenIn({ status, body }: HttpAnswer, startedAt: number): Token | undefined {
  if (status !== 200) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  const outer = parsed as {
    accessToken?: unknown;
    tokenTtl?: unknown;
    data?: { accessToken?: unknown; tokenTtl?: unknown };
  } | null;
  const { accessToken, tokenTtl } = outer?.data ?? outer ?? {};
  if (typeof accessToken !== 'string' || accessToken === '') return undefined;
  // Without a lifetime: as short as can be of use, the server will not tell when it has ended.
  const ttlMs = (typeof tokenTtl === 'number' && tokenTtl > 0 ? tokenTtl : 60) * 1000;
  return {
    headers: { accessToken },
    renewAt: startedAt + ttlMs * (1 - renewalShare),
    expiresAt: startedAt + ttlMs,
  };
}
