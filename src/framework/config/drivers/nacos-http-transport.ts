import { once } from 'node:events';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  addressOf,
  askHttp,
  backoffMs,
  type HttpAnswer,
  NacosAuth,
  NacosDeniedError,
  type NacosServer,
  type NacosSettings,
  NacosTimeoutError,
  NacosUnavailableError,
  pause,
} from '../../nacos/index.js';
import { isNothingThere, refusalOf } from './nacos-http-answer.js';

// The server answers when something has changed, and else a little before this time.
const longPollMs = 30_000;
const longPollGraceMs = 10_000;
// A change that comes between the server's look at what is held and the moment from which it waits is told by no server
// before the request ends: a second look, so much later, finds it.
const secondLookMs = 500;
// What was published together becomes visible within some 10 ms; so long the next look waits.
const gatherMs = 40;
const minBackoffMs = 200;
const maxBackoffMs = 10_000;
// "There is something else" without anything else there, so often in a row, is a server that does not agree with itself.
const maxFruitless = 3;
// A document that the server is writing down is refused for a moment.
const conflict = 409;
const conflictAttempts = 20;
const conflictPauseMs = 50;
// A proxy that ends a connection nobody uses is not to be noticed by the request that would have used it.
const idleSocketMs = 4000;
// A peer that is gone without a word: found out by the kernel, 10 s after this.
const keepAliveProbeMs = 5000;

/** A document as it came. */
export interface HttpDocument {
  readonly content: string;
  readonly type: string | undefined;
  readonly encryptedDataKey: string | undefined;
}

/** What the one who uses the transport hears of it. */
export interface HttpTransportEvents {
  /** A request of the watch failed; it is tried again. */
  onFailure(error: Error): void;
  /** The server says that what is held is what it has. */
  onSettled(): void;
}

/** A request as a step of the package: the path below `/v1/`, and the form. */
export interface HttpStep {
  readonly path: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly form: string;
}

interface HttpLimits {
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The HTTP requests of one driver: servers in turn, login once instead of a password each time, all of it ended by `close()`. */
export class NacosHttpTransport {
  readonly #settings: NacosSettings;
  readonly #auth: NacosAuth;
  readonly #agent: HttpAgent;
  readonly #closing = new AbortController();
  readonly #events: HttpTransportEvents;
  #current: number;
  #isSettled = false;
  /** Failures in a row: of asking what has changed, and of reading it. */
  #failures = 0;
  #readFailures = 0;
  #fruitless = 0;
  #hasChanged = false;

  constructor(settings: NacosSettings, events: HttpTransportEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#auth = new NacosAuth(settings);
    this.#current = Math.floor(Math.random() * settings.servers.length);
    const options = { keepAlive: true, keepAliveMsecs: keepAliveProbeMs, maxFreeSockets: 2, timeout: idleSocketMs };
    this.#agent = settings.loginTls === undefined ? new HttpAgent(options) : new HttpsAgent(options);
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Whether the server has agreed with what is held since the last change or failure. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /**
   * One request; the next server where one does not answer or cannot serve.
   *
   * @throws NacosUnavailableError, NacosTimeoutError, NacosDeniedError, NacosOverloadedError, NacosRequestError
   */
  async ask(step: HttpStep): Promise<HttpAnswer> {
    let failure: unknown;
    for (let tries = 0; tries < this.#settings.servers.length; tries += 1) {
      try {
        return await this.#askCurrent(step);
      } catch (error) {
        failure = error;
        this.#current += 1;
        if (this.isClosed) break;
      }
    }
    throw failure;
  }

  /** A read of the watch has failed: the next look at the server waits. */
  failed(error: Error): void {
    this.#readFailures += 1;
    this.#tell(error);
  }

  #tell(error: Error): void {
    this.#isSettled = false;
    this.#events.onFailure(error);
  }

  /** A read of the watch has brought something new. */
  progressed(): void {
    this.#fruitless = 0;
    this.#readFailures = 0;
  }

  /**
   * Asks what has changed, and waits for it where the server has agreed before.
   *
   * @returns the server's list; empty when nothing has, when it failed, and when closed
   */
  async poll(form: string): Promise<string> {
    const isQuick = !this.#isSettled;
    await pause(this.#pauseMs(), this.#closing.signal);
    if (this.isClosed) return '';
    try {
      const changed = isQuick ? await this.#look(form) : await this.#wait(form);
      this.#answered(changed !== '', isQuick);
      return changed;
    } catch (error) {
      if (this.isClosed) return '';
      this.#current += 1;
      this.#failures += 1;
      this.#tell(error as Error);
      return '';
    }
  }

  /** Ends all requests and connections; resolves when the sockets are gone. */
  async close(): Promise<void> {
    this.#closing.abort();
    const sockets = [this.#agent.sockets, this.#agent.freeSockets].flatMap((some) => Object.values(some).flat());
    const gone = sockets
      .filter((socket) => socket !== undefined && !socket.closed)
      .map((socket) => once(socket as NonNullable<typeof socket>, 'close').catch(() => {}));
    this.#agent.destroy();
    await Promise.all(gone);
  }

  /** What has changed by now. */
  #look(form: string, signal?: AbortSignal): Promise<string> {
    const limitMs = this.#settings.requestTimeoutMs;
    return this.#listen(form, { headers: { 'long-pulling-timeout-no-hangup': 'true' }, limitMs, signal });
  }

  /** What has changed as soon as something has, or nothing when the server has waited long enough. */
  async #wait(form: string): Promise<string> {
    const over = new AbortController();
    const { signal } = over;
    try {
      const waiting = this.#listen(form, { headers: {}, limitMs: longPollMs + longPollGraceMs, signal });
      return await Promise.race([waiting, this.#missed(form, signal)]);
    } finally {
      over.abort();
    }
  }

  /** What the server that waits did not notice; never settles where there is nothing. */
  async #missed(form: string, signal: AbortSignal): Promise<string> {
    await pause(secondLookMs, signal);
    // That it fails, the request that waits tells as well.
    const changed = signal.aborted || this.isClosed ? '' : await this.#look(form, signal).catch(() => '');
    return changed === '' ? new Promise<never>(() => {}) : changed;
  }

  async #listen(form: string, { headers, ...limits }: HttpLimits & { headers: object }): Promise<string> {
    const step = { path: 'cs/configs/listener', method: 'POST', form } as const;
    const all = { 'long-pulling-timeout': String(longPollMs), ...headers };
    return (await this.#askCurrent(step, all, limits)).body.trim();
  }

  #answered(hasChanged: boolean, isQuick: boolean): void {
    this.#hasChanged = hasChanged;
    if (hasChanged) this.#fruitless += 1;
    const isSettled = !hasChanged || this.#fruitless > maxFruitless;
    this.#failures = 0;
    if (!hasChanged) {
      this.#readFailures = 0;
      this.#fruitless = 0;
    }
    this.#isSettled = !hasChanged;
    if (isSettled && isQuick) this.#events.onSettled();
  }

  #pauseMs(): number {
    const inVain = Math.max(this.#failures, this.#readFailures, this.#fruitless - maxFruitless);
    if (inVain > 0) return backoffMs(inVain, minBackoffMs, maxBackoffMs);
    return this.#hasChanged ? gatherMs : 0;
  }

  async #askCurrent(step: HttpStep, headers = {}, limits: Partial<HttpLimits> = {}): Promise<HttpAnswer> {
    const { servers, requestTimeoutMs } = this.#settings;
    const { limitMs = requestTimeoutMs, signal: over } = limits;
    const server = servers[this.#current % servers.length] as NacosServer;
    const limit = AbortSignal.timeout(limitMs);
    const signal = AbortSignal.any([this.#closing.signal, limit, ...(over === undefined ? [] : [over])]);
    let loginsLeft = this.#settings.login === undefined ? 0 : 1;
    for (let attempt = 1; ; attempt += 1) {
      const identity = await this.#auth.headers([server], signal);
      const answer = await this.#send(server, step, { ...headers, ...bearer(identity) }, signal, limitMs);
      if (answer.status === 200 || isNothingThere(answer)) return answer;
      const refusal = refusalOf(addressOf(server), step, answer, (text) => this.#auth.redact(text));
      if (refusal instanceof NacosDeniedError && loginsLeft > 0) {
        loginsLeft -= 1;
        this.#auth.refuse(identity);
      } else if (answer.status === conflict && attempt < conflictAttempts) {
        await pause(conflictPauseMs, signal);
        signal.throwIfAborted();
      } else {
        throw refusal;
      }
    }
  }

  async #send(
    server: NacosServer,
    { path, method, form }: HttpStep,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    limitMs: number,
  ): Promise<HttpAnswer> {
    const { contextPath, loginTls, maxMessageBytes } = this.#settings;
    const isForm = method === 'POST';
    const question = {
      method,
      path: `${contextPath}/v1/${path}${isForm ? '' : `?${form}`}`,
      headers: { 'client-version': 'Rookery-Client:v0.1.0', exconfiginfo: 'true', ...headers },
      form: isForm ? form : undefined,
      tls: loginTls,
      agent: this.#agent,
      maxAnswerBytes: maxMessageBytes,
    };
    try {
      return await askHttp(server, question, signal);
    } catch (error) {
      const where = `nacos: ${method} ${path} at ${addressOf(server)}`;
      if (signal.aborted && !this.isClosed) throw new NacosTimeoutError(`${where}: no answer within ${limitMs} ms`);
      const { code } = error as NodeJS.ErrnoException;
      // Without `cause`: a request of Node's may hang on it, with its headers.
      throw new NacosUnavailableError(`${where}: ${code ?? (error as Error).message}`);
    }
  }
}

/** In a header and not in the query, which servers and proxies write into their logs. Also 1.x reads it there. */
function bearer({ accessToken }: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
}
