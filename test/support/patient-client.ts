import { Agent } from 'node:http';
import { GrpcCaller, methodOf } from './grpc-caller.js';
import { http } from './http-caller.js';
import { Http2Caller } from './http2-caller.js';
import { TrialService } from './trial-proto.js';

/** What a well-behaved client has seen. */
export interface Patience {
  readonly failures: readonly string[];
  /** The time that half of the requests took at most, in ms. */
  readonly medianMs: number;
  /** The time that 99 of 100 requests took at most, in ms. */
  readonly p99Ms: number;
}

const order = { title: 'a' };

/** A client that makes one request after the other, by each transport in turn, on connections that it keeps or makes anew. */
export class PatientClient {
  readonly #url: string;
  readonly #rpc: GrpcCaller;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #http2: Http2Caller;

  private constructor(url: string, http2: Http2Caller) {
    this.#url = url;
    this.#rpc = new GrpcCaller(new URL(url).host);
    this.#http2 = http2;
  }

  static async connect(url: string): Promise<PatientClient> {
    return new PatientClient(url, await Http2Caller.connect(url));
  }

  /** Makes `rounds` requests by each transport. */
  async ask(rounds: number): Promise<Patience> {
    const failures: string[] = [];
    const times: number[] = [];
    const timed = async (name: string, work: () => Promise<string>): Promise<void> => {
      const sinceMs = performance.now();
      const outcome = await work().catch(String);
      times.push(performance.now() - sinceMs);
      if (outcome !== '') failures.push(`${name}: ${outcome}`);
    };
    const rest = { method: 'POST', path: '/trial/orders', body: order };
    for (let round = 0; round < rounds; round += 1) {
      await timed('HTTP/1.1', async () => answer(await http(this.#url, { ...rest, agent: this.#agent })));
      await timed('a new connection', async () => answer(await http(this.#url, rest)));
      await timed('HTTP/2', async () =>
        answer(
          await this.#http2.request(
            { ':method': 'POST', ':path': '/trial/orders', 'content-type': 'application/json' },
            JSON.stringify(order),
          ),
        ),
      );
      await timed('gRPC', async () => {
        const { failure } = await this.#rpc.call(methodOf(TrialService, 'PlaceOrder'), [order]);
        return failure === undefined ? '' : JSON.stringify(failure);
      });
      await timed('a gRPC stream', async () => {
        const { failure, messages } = await this.#rpc.call(methodOf(TrialService, 'Produce'), [{ count: 2, size: 10 }]);
        return failure === undefined && messages.length === 2 ? '' : JSON.stringify(failure);
      });
    }
    times.sort((a, b) => a - b);
    const most = (part: number): number => times[Math.floor(times.length * part)] ?? Number.NaN;
    return { failures, medianMs: most(0.5), p99Ms: most(0.99) };
  }

  close(): void {
    this.#rpc.close();
    this.#http2.close();
    this.#agent.destroy();
  }
}

function answer({ status, text }: { status: number; text: string }): string {
  return status === 201 ? '' : `${status} ${text}`;
}
