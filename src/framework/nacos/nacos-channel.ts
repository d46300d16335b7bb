import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  status as GrpcStatus,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  NacosClosedError,
  type NacosError,
  NacosProtocolError,
  NacosRequestError,
  NacosTimeoutError,
  NacosUnavailableError,
} from './nacos.errors.js';
import type { NacosSettings, NacosTls } from './nacos.options.js';
import { decodePayload, encodePayload, type NacosMessage, nameIn } from './payload.js';
import { addressOf, type NacosServer } from './server-list.js';

const requestPath = '/Request/request';
const streamPath = '/BiRequestStream/requestBiStream';

// Servers before 2.3 do not say when they have taken the setup in.
const unacknowledgedSetupMs = 100;
// Acknowledgements that the server does not read: so many, and the connection is given up.
const maxUnsentAcknowledgements = 1000;

/** What the server is told about this client. */
const clientVersion = 'Rookery-Client:v0.1.0';

type Bytes = Buffer;
const asItIs = (bytes: Bytes): Bytes => bytes;

/** What the one who opens a channel hears of it. */
export interface ChannelListener {
  /** Anything that came on the stream, except what the handshake needs. Called in the order of arrival. */
  onPush(push: NacosMessage, channel: NacosChannel): void;
  /** The channel is of no use any more; called once, not for `close()`. */
  onEnd(cause: NacosError): void;
}

/** How long a request may take. */
export interface ChannelRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One TCP connection to one server, from the handshake to its end; it never comes back. */
export class NacosChannel {
  readonly #client: Client;
  readonly #settings: NacosSettings;
  readonly #listener: ChannelListener;
  readonly #calls = new Set<{ cancel(): void }>();
  #stream: ClientDuplexStream<Bytes, Bytes> | undefined;
  #setupDone: (() => void) | undefined;
  #setupFailed: ((cause: NacosError) => void) | undefined;
  #isOver = false;
  #lastHeardAt = performance.now();
  #signal: AbortSignal | undefined;
  readonly #abort = (): void => {
    this.#setupFailed?.(new NacosClosedError());
    this.close();
  };

  private constructor(
    readonly server: NacosServer,
    settings: NacosSettings,
    listener: ChannelListener,
  ) {
    this.#settings = settings;
    this.#listener = listener;
    const name = `${server.host}:${server.grpcPort}`;
    this.#client = new Client(name, credentialsOf(settings.tls), channelOptions(settings));
  }

  /**
   * Connects and shakes hands; resolves when the server knows this connection.
   *
   * @param signal ends the attempt, and later the connection
   * @throws NacosUnavailableError, NacosTimeoutError, NacosRequestError, NacosProtocolError; nothing is left open then
   */
  static async open(
    server: NacosServer,
    settings: NacosSettings,
    headers: Readonly<Record<string, string>>,
    listener: ChannelListener,
    signal: AbortSignal,
  ): Promise<NacosChannel> {
    signal.throwIfAborted();
    const channel = new NacosChannel(server, settings, listener);
    channel.#signal = signal;
    signal.addEventListener('abort', channel.#abort);
    try {
      await channel.#shakeHands(headers);
      return channel;
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /** For how long nothing has gone either way that the server counts as a sign of life, in ms. */
  get idleMs(): number {
    return performance.now() - this.#lastHeardAt;
  }

  /**
   * The body of the answer, whatever it says.
   *
   * @throws NacosTimeoutError, NacosUnavailableError, NacosRequestError, NacosProtocolError; the reason of `signal`
   */
  request(type: string, body: object, { headers, timeoutMs, signal }: ChannelRequest): Promise<NacosMessage['body']> {
    const { promise, resolve, reject } = Promise.withResolvers<NacosMessage['body']>();
    if (this.#isOver) throw new NacosUnavailableError(`nacos: ${type}: the connection has ended`);
    signal?.throwIfAborted();
    const call = this.#client.makeUnaryRequest<Bytes, Bytes>(
      requestPath,
      asItIs,
      asItIs,
      encodePayload(type, body, headers),
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, answer) => {
        this.#calls.delete(call);
        signal?.removeEventListener('abort', cancel);
        if (error !== null) return reject(signal?.aborted ? signal.reason : this.#failure(type, error, timeoutMs));
        this.#lastHeardAt = performance.now();
        try {
          resolve(decodePayload(answer ?? Buffer.alloc(0)).body);
        } catch (unreadable) {
          reject(unreadable);
        }
      },
    );
    const cancel = (): void => call.cancel();
    this.#calls.add(call);
    signal?.addEventListener('abort', cancel, { once: true });
    return promise;
  }

  /** Sends a message on the stream, to which no answer comes. */
  acknowledge(type: string, body: object): void {
    const stream = this.#stream;
    if (stream === undefined || this.#isOver) return;
    if (stream.writableLength > maxUnsentAcknowledgements) {
      return this.end(new NacosUnavailableError(`nacos: ${addressOf(this.server)} does not read what it is sent`));
    }
    this.#lastHeardAt = performance.now();
    stream.write(encodePayload(type, body));
  }

  /** Gives the connection up for a reason, which the listener hears. */
  end(cause: NacosError): void {
    if (this.#isOver) return;
    this.close();
    if (this.#setupFailed !== undefined) this.#setupFailed(cause);
    else this.#listener.onEnd(cause);
  }

  /** Ends stream, requests and connection at once. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#stream?.cancel();
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }

  async #shakeHands(headers: Readonly<Record<string, string>>): Promise<void> {
    const { connectTimeoutMs: timeoutMs, namespace, module, appName } = this.#settings;
    const check = await this.request('ServerCheckRequest', {}, { headers, timeoutMs });
    if (check['connectionId'] === undefined) {
      throw new NacosUnavailableError(`nacos: ${addressOf(this.server)} is not ready: ${nameIn(check['message'])}`);
    }
    const acknowledged = Promise.withResolvers<void>();
    this.#setupDone = acknowledged.resolve;
    this.#setupFailed = acknowledged.reject;
    const saysWhen = check['supportAbilityNegotiation'] === true;
    const timer = setTimeout(
      () =>
        saysWhen
          ? this.end(new NacosTimeoutError(`nacos: no setup at ${addressOf(this.server)} within ${timeoutMs} ms`))
          : acknowledged.resolve(),
      saysWhen ? timeoutMs : unacknowledgedSetupMs,
    );
    this.#openStream();
    const labels = { source: 'sdk', module, AppName: appName };
    this.acknowledge('ConnectionSetupRequest', { clientVersion, tenant: namespace, labels, abilityTable: {} });
    try {
      await acknowledged.promise;
    } finally {
      clearTimeout(timer);
      this.#setupDone = undefined;
      this.#setupFailed = undefined;
    }
  }

  #openStream(): void {
    const stream = this.#client.makeBidiStreamRequest<Bytes, Bytes>(streamPath, asItIs, asItIs, new Metadata());
    this.#stream = stream;
    stream.on('data', (bytes: Bytes) => this.#receive(bytes));
    // Whatever the status, also 0: the server has dropped this connection.
    stream.on('status', ({ code }: { code: number }) =>
      this.end(
        new NacosUnavailableError(`nacos: ${addressOf(this.server)} ended the connection (gRPC status ${code})`),
      ),
    );
    // Told by 'status' as well.
    stream.on('error', () => {});
  }

  #receive(bytes: Bytes): void {
    if (this.#isOver) return;
    try {
      const push = decodePayload(bytes);
      if (push.type === 'SetupAckRequest') this.#setupDone?.();
      else this.#listener.onPush(push, this);
    } catch (error) {
      // It may have told of a change: connecting again finds out.
      this.end(
        error instanceof NacosProtocolError ? error : new NacosProtocolError('nacos: a push could not be taken'),
      );
    }
  }

  #failure(type: string, error: ServiceError, timeoutMs: number): NacosError {
    const where = `${type} at ${addressOf(this.server)}`;
    switch (error.code) {
      case GrpcStatus.DEADLINE_EXCEEDED:
        return new NacosTimeoutError(`nacos: ${where}: no answer within ${timeoutMs} ms`);
      case GrpcStatus.UNAVAILABLE:
      case GrpcStatus.CANCELLED:
        return new NacosUnavailableError(`nacos: ${where}: no connection`, { cause: error });
      case GrpcStatus.RESOURCE_EXHAUSTED:
        return new NacosRequestError(
          500,
          `nacos: ${where}: a message is too large (expected: at most ${this.#settings.maxMessageBytes} bytes)`,
        );
      default:
        return new NacosRequestError(500, `nacos: ${where}: gRPC status ${error.code}`);
    }
  }
}

function channelOptions({ maxMessageBytes, maxBackoffMs, tls }: NacosSettings): ChannelOptions {
  return {
    // The server knows a client by its TCP connection: with a shared one, two clients would be one.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
    // Connecting again is done with a new channel; this one is not to try by itself.
    'grpc.initial_reconnect_backoff_ms': maxBackoffMs,
    ...(tls?.serverName !== undefined && { 'grpc.ssl_target_name_override': tls.serverName }),
  };
}

function credentialsOf(tls: NacosTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}
