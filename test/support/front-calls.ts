import * as grpc from '@grpc/grpc-js';
import { ServiceUnavailableException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { passOn } from 'rookery';
import { currentSignal, RookeryError, Status } from 'rookery/core';
import { createGrpcClient } from 'rookery/grpc';
import { TrialService } from './trial-proto.js';

/** Where the calls go: `host:port` of a gRPC server, of an HTTP server, and of nothing. */
export interface Peers {
  readonly grpc: string;
  readonly http: string;
  readonly closed: string;
}

interface CallInit {
  readonly timeoutMs?: number;
}

/** The methods of the trial service that are called. */
interface TrialClient {
  placeOrder(input: object, init?: CallInit): Promise<object>;
  inspect(input: object, init?: CallInit): Promise<object>;
  produce(input: object): AsyncIterable<object>;
}

class OwnWordsError extends RookeryError {
  static override readonly reason = 'OWN_WORDS';
  static override readonly status = Status.NotFound;
}

/** Calls another service in the way that the mode names, as a handler does that thinks of nothing. */
export class FrontCalls {
  readonly #peers: Peers;
  readonly #ours: TrialClient;
  readonly #oursClosed: TrialClient;
  readonly #raw: grpc.Client;
  readonly #rawClosed: grpc.Client;

  constructor(peers: Peers) {
    const made = (address: string): TrialClient =>
      createGrpcClient(TrialService, { address, timeoutMs: 60_000 }) as unknown as TrialClient;
    this.#peers = peers;
    this.#ours = made(peers.grpc);
    this.#oursClosed = made(peers.closed);
    this.#raw = new grpc.Client(peers.grpc, grpc.credentials.createInsecure());
    this.#rawClosed = new grpc.Client(peers.closed, grpc.credentials.createInsecure());
  }

  async as(mode: string): Promise<unknown> {
    const [kind = '', how = ''] = mode.split(' ');
    try {
      await this.#call(kind);
    } catch (error) {
      throw wrapped(error as Error, how);
    }
    return undefined;
  }

  async #call(kind: string): Promise<unknown> {
    switch (kind) {
      case 'ours':
        return this.#ours.placeOrder({ title: 'a' });
      case 'oursClosed':
        return this.#oursClosed.placeOrder({ title: 'a' });
      case 'oursSlow':
        return this.#ours.inspect({}, { timeoutMs: 30 });
      case 'oursInherited':
        return this.#ours.inspect({});
      case 'oursStream':
        for await (const _ of this.#ours.produce({ count: 1 })) continue;
        return undefined;
      case 'raw':
        return unary(this.#raw);
      case 'rawClosed':
        return unary(this.#rawClosed);
      case 'fetchClosed':
        return fetch(`http://${this.#peers.closed}/`);
      case 'fetch401':
        return json(await fetch(`http://${this.#peers.http}/401`));
      case 'fetchSlow':
        return fetch(`http://${this.#peers.http}/slow`, { signal: AbortSignal.timeout(30) });
      case 'fetchInherited':
        return fetch(`http://${this.#peers.http}/slow`, { signal: currentSignal() });
      default:
        throw new Error(`unknown kind ${kind}`);
    }
  }
}

function wrapped(error: Error, how: string): Error {
  switch (how) {
    case 'passedOn':
      return passOn(error);
    case 'asRpc':
      return new RpcException(error);
    case 'asUnavailable':
      return new ServiceUnavailableException(error.message);
    case 'asCause':
      return new Error('cannot load', { cause: error });
    case 'inOwnWords':
      return new OwnWordsError('there is no such order', { cause: error });
    default:
      return error;
  }
}

function unary(client: grpc.Client): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const plain = (bytes: Buffer): Buffer => bytes;
  client.makeUnaryRequest(
    '/trial.service.v1.TrialService/PlaceOrder',
    plain,
    plain,
    Buffer.alloc(0),
    (error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    },
  );
  return promise;
}

// As most wrappers of an HTTP client do.
async function json(response: Response): Promise<unknown> {
  const data = (await response.json()) as { readonly message: string };
  if (response.ok) return data;
  throw Object.assign(new Error(data.message), {
    status: response.status,
    response: { status: response.status, data },
  });
}
