import { errorCodeOf, isSuccess, isUnknownConnection, refusal } from './answer.js';
import { apart } from './apart.js';
import { backoffMs, pause } from './backoff.js';
import { HealthCheck } from './health-check.js';
import { NacosAuth } from './nacos-auth.js';
import { type ChannelRequest, NacosChannel } from './nacos-channel.js';
import {
  NacosClosedError,
  NacosDeniedError,
  NacosError,
  NacosOverloadedError,
  NacosTimeoutError,
  NacosUnavailableError,
} from './nacos.errors.js';
import { type NacosOptions, type NacosSettings, nacosSettings, requestTimeout } from './nacos.options.js';
import { OwnSockets } from './own-sockets.js';
import { type NacosMessage, nameIn } from './payload.js';
import { addressOf, type NacosServer, ServerList } from './server-list.js';
import { unlessAborted } from './unless-aborted.js';

// A connection that has lasted so long was a good one: the pause before the next starts from the shortest again.
const provenMs = 10_000;
// What is left of a connection that has ended may still write for so long, should its other end take it.
const lingerMs = 200;
/** Said of a request that is to be sent once more. */
const again = Symbol('again');

/** What the connection is doing. Not connected, it keeps trying until it is closed. */
export type NacosState =
  | { readonly state: 'connecting' }
  | { readonly state: 'connected'; readonly server: string }
  | { readonly state: 'disconnected'; readonly error: NacosError; readonly retryInMs: number }
  | { readonly state: 'closed' };

/** What a single request may set. */
export interface NacosRequestOptions {
  /** Limit of this request, in ms, waiting for a connection included. */
  readonly timeoutMs?: number;
  /** Cancels the request; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** The request may be sent again when the connection broke before the answer. Default false. */
  readonly isRepeatable?: boolean;
}

/**
 * The connection to a cluster: one server at a time, the next one when that is lost. It starts connecting when it is made,
 * and goes on until `close()`.
 */
export class NacosConnection {
  /** The namespace that requests are about; empty is the public one. */
  readonly namespace: string;
  /** Largest message either way, in bytes. */
  readonly maxMessageBytes: number;
  readonly #settings: NacosSettings;
  readonly #servers: ServerList;
  readonly #auth: NacosAuth;
  readonly #closing = new AbortController();
  readonly #stateListeners = new Set<(state: NacosState) => void>();
  readonly #pushHandlers = new Map<string, (body: NacosMessage['body']) => void>();
  readonly #waiting = new Set<(channel: NacosChannel) => void>();
  readonly #running: Promise<void>;
  #state: NacosState = { state: 'connecting' };
  #lastError: NacosError | undefined;
  #channel: NacosChannel | undefined;
  #health: HealthCheck | undefined;
  #pending = 0;

  /** @throws NacosOptionError names option, value and expectation */
  constructor(options: NacosOptions) {
    this.#settings = nacosSettings(options);
    this.namespace = this.#settings.namespace;
    this.maxMessageBytes = this.#settings.maxMessageBytes;
    this.#servers = new ServerList(this.#settings.servers);
    this.#auth = new NacosAuth(this.#settings);
    this.#running = this.#run();
  }

  /** What it is doing now. */
  get state(): NacosState {
    return this.#state;
  }

  /** Calls `listener` at every change of state, until the returned function is called. Its exceptions are the process's. */
  onState(listener: (state: NacosState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  /**
   * Gives pushes of this type to `handler`, after they have been acknowledged. One handler per type.
   *
   * @param type such as `ConfigChangeNotifyRequest`
   */
  onPush(type: string, handler: (body: NacosMessage['body']) => void): void {
    this.#pushHandlers.set(type, handler);
  }

  /** Resolves as soon as there is a connection; rejects like `request`. */
  async connected(options: Pick<NacosRequestOptions, 'timeoutMs' | 'signal'> = {}): Promise<void> {
    await this.#within('connecting', options, async () => {});
  }

  /**
   * The answer to a request that succeeded. Waits for a connection; logs in once more where the token is refused; sends
   * again what a server did not take because it did not know the connection.
   *
   * @throws NacosTimeoutError no answer in time
   * @throws NacosUnavailableError no connection in time, or it broke before the answer
   * @throws NacosDeniedError user, password or rights
   * @throws NacosOverloadedError more than `maxPendingRequests`, or the server says so
   * @throws NacosRequestError the server refused, with its number
   * @throws NacosClosedError `close()` was called
   */
  request(type: string, body: object, options: NacosRequestOptions = {}): Promise<NacosMessage['body']> {
    let loginsLeft = this.#settings.login === undefined ? 0 : 1;
    return this.#within(type, options, async (channel, request) => {
      const answer = await channel.request(type, body, request);
      if (isSuccess(answer)) return answer;
      const code = errorCodeOf(answer);
      if (code === 403 && loginsLeft > 0) {
        loginsLeft -= 1;
        this.#auth.refuse(request.headers);
        return again;
      }
      const error = refusal(type, code, this.#auth.redact(nameIn(answer['message'])));
      if (!isUnknownConnection(code)) throw error;
      channel.end(new NacosUnavailableError(error.message));
      return again;
    });
  }

  /** Ends the connection and all that waits. May be called twice; resolves when nothing is left, within a second. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(new NacosClosedError());
      this.#channel = undefined;
    }
    await this.#running;
  }

  /** Finds a channel and uses it, again where `use` says so, until the time is over. */
  async #within<T>(
    what: string,
    { timeoutMs = this.#settings.requestTimeoutMs, signal, isRepeatable = false }: NacosRequestOptions,
    use: (channel: NacosChannel, request: ChannelRequest) => Promise<T | typeof again>,
  ): Promise<T> {
    requestTimeout(timeoutMs);
    if (this.#pending >= this.#settings.maxPendingRequests) {
      throw new NacosOverloadedError(`nacos: ${what}: ${this.#pending} requests are waiting (expected: fewer)`);
    }
    const until = performance.now() + timeoutMs;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(this.#lateness(what, timeoutMs)), timeoutMs);
    const end = AbortSignal.any([this.#closing.signal, late.signal, ...(signal === undefined ? [] : [signal])]);
    this.#pending += 1;
    try {
      for (;;) {
        const channel = await this.#someChannel(end);
        const headers = await unlessAborted(this.#headers(channel.server), end);
        const left = Math.max(1, Math.ceil(until - performance.now()));
        const result = await this.#outcome(
          channel,
          use(channel, { headers, timeoutMs: left, signal: end }),
          isRepeatable,
        );
        if (result !== again) return result;
      }
    } finally {
      clearTimeout(timer);
      this.#pending -= 1;
    }
  }

  /** What a request came to; a failure says something about the connection too. */
  async #outcome<T>(channel: NacosChannel, result: Promise<T>, isRepeatable: boolean): Promise<T | typeof again> {
    try {
      return await result;
    } catch (error) {
      if (error instanceof NacosTimeoutError) this.#health?.check();
      if (!(error instanceof NacosUnavailableError)) throw error;
      channel.end(error);
      if (isRepeatable) return again;
      throw error;
    }
  }

  #someChannel(end: AbortSignal): Promise<NacosChannel> {
    end.throwIfAborted();
    if (this.#channel !== undefined) return Promise.resolve(this.#channel);
    const { promise, resolve } = Promise.withResolvers<NacosChannel>();
    this.#waiting.add(resolve);
    return unlessAborted(promise, end).finally(() => this.#waiting.delete(resolve));
  }

  #headers(server: NacosServer): Promise<Readonly<Record<string, string>>> {
    return this.#auth.headers(this.#servers.beginningWith(server), this.#closing.signal);
  }

  /** Why a request is late: no answer, or nobody to ask, in which case the reason for that is more use. */
  #lateness(what: string, timeoutMs: number): NacosError {
    const state = this.#state;
    if (state.state === 'connected') return new NacosTimeoutError(`nacos: ${what}: no answer within ${timeoutMs} ms`);
    const error = state.state === 'disconnected' ? state.error : this.#lastError;
    if (error instanceof NacosDeniedError) return error;
    const message = `nacos: ${what}: no connection within ${timeoutMs} ms (servers: ${this.#servers.addresses})`;
    return new NacosUnavailableError(message, { cause: error });
  }

  async #run(): Promise<void> {
    const { minBackoffMs, maxBackoffMs } = this.#settings;
    const closing = this.#closing.signal;
    let attempt = 0;
    while (!closing.aborted) {
      this.#enter({ state: 'connecting' });
      const startedAt = performance.now();
      const error = await this.#connectAndStay(this.#servers.next()).catch(asNacosError);
      if (closing.aborted) break;
      this.#channel = undefined;
      attempt = performance.now() - startedAt > provenMs ? 1 : attempt + 1;
      const retryInMs = backoffMs(attempt, minBackoffMs, maxBackoffMs);
      this.#lastError = error;
      this.#enter({ state: 'disconnected', error, retryInMs });
      await pause(retryInMs, closing);
    }
    this.#enter({ state: 'closed' });
  }

  /** Resolves with the reason for which the connection ended. */
  async #connectAndStay(server: NacosServer): Promise<NacosError> {
    const closing = this.#closing.signal;
    const ended = Promise.withResolvers<NacosError>();
    const listener = {
      onPush: (push: NacosMessage, from: NacosChannel) => this.#receive(from, push),
      onEnd: (cause: NacosError) => {
        this.#channel = undefined;
        ended.resolve(cause);
      },
    };
    const headers = await this.#headers(server);
    const sockets = new OwnSockets();
    try {
      const channel = await sockets.run(() => NacosChannel.open(server, this.#settings, headers, listener, closing));
      return await this.#stay(channel, ended.promise);
    } finally {
      await sockets.close(lingerMs);
    }
  }

  async #stay(channel: NacosChannel, ended: Promise<NacosError>): Promise<NacosError> {
    const health = new HealthCheck(channel, this.#settings);
    this.#channel = channel;
    this.#health = health;
    this.#enter({ state: 'connected', server: addressOf(channel.server) });
    for (const waiting of this.#waiting) waiting(channel);
    try {
      return await unlessAborted(ended, this.#closing.signal);
    } finally {
      health.close();
    }
  }

  /** Acknowledges first: the server waits for that, and what the handler does may take time. */
  #receive(channel: NacosChannel, { type, body }: NacosMessage): void {
    const handler = this.#pushHandlers.get(type);
    const isReset = type === 'ConnectResetRequest';
    // Of a type that nobody knows: newer servers may send what older clients need not understand.
    if (handler === undefined && !isReset && type !== 'ClientDetectionRequest') return;
    channel.acknowledge(type.replace(/Request$/, 'Response'), { resultCode: 200, requestId: body['requestId'] });
    apart(() => handler?.(body));
    if (isReset) this.#move(channel, body);
  }

  #move(channel: NacosChannel, { serverIp, serverPort }: NacosMessage['body']): void {
    if (typeof serverIp === 'string' && serverIp !== '') this.#servers.advise(serverIp, Number(serverPort));
    // After what was just written has gone out.
    setImmediate(() =>
      channel.end(new NacosUnavailableError(`nacos: ${addressOf(channel.server)} asks to connect again`)),
    );
  }

  #enter(state: NacosState): void {
    this.#state = state;
    for (const listener of this.#stateListeners) apart(() => listener(state));
  }
}

function asNacosError(error: unknown): NacosError {
  return error instanceof NacosError
    ? error
    : new NacosUnavailableError('nacos: the connection failed', { cause: error });
}
