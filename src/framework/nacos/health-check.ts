import type { NacosChannel } from './nacos-channel.js';
import { NacosTimeoutError, NacosUnavailableError } from './nacos.errors.js';
import type { NacosSettings } from './nacos.options.js';
import { addressOf } from './server-list.js';

// Unanswered ones in a row that end a connection: one may fall into a pause of the server's garbage collector.
const maxMissed = 2;

/** Asks an idle server whether it is there: that is how a cut cable shows, and the server drops who is silent for 20 s. */
export class HealthCheck {
  readonly #channel: NacosChannel;
  readonly #settings: NacosSettings;
  readonly #timer: NodeJS.Timeout;
  #isChecking = false;
  #isOver = false;

  constructor(channel: NacosChannel, settings: NacosSettings) {
    this.#channel = channel;
    this.#settings = settings;
    // Four looks per idle time: the question comes at most a quarter late.
    this.#timer = setInterval(() => {
      if (channel.idleMs >= settings.healthCheckIdleMs) this.check();
    }, settings.healthCheckIdleMs / 4);
  }

  /** Asks now; for when something else has made it doubtful whether the server is there. */
  check(): void {
    if (this.#isChecking || this.#isOver) return;
    this.#isChecking = true;
    this.#ask()
      .catch((error: unknown) => {
        if (error instanceof NacosUnavailableError) this.#channel.end(error);
      })
      .finally(() => {
        this.#isChecking = false;
      });
  }

  /** No more questions. */
  close(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  async #ask(): Promise<void> {
    const timeoutMs = this.#settings.healthCheckTimeoutMs;
    for (let missed = 0; missed < maxMissed && !this.#isOver; missed += 1) {
      try {
        const answer = await this.#channel.request('HealthCheckRequest', {}, { headers: {}, timeoutMs });
        if (answer['errorCode'] === 301) throw this.#gone('does not know this connection');
        return;
      } catch (error) {
        if (!(error instanceof NacosTimeoutError)) throw error;
      }
    }
    if (!this.#isOver) throw this.#gone(`left ${maxMissed} health checks unanswered`);
  }

  #gone(what: string): NacosUnavailableError {
    return new NacosUnavailableError(`nacos: ${addressOf(this.#channel.server)} ${what}`);
  }
}
