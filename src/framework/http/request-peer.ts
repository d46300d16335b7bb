import type { FastifyInstance, FastifyRequest } from 'fastify';
import { plainAddress } from '../core/index.js';
import { ForwardedPeer } from '../pipeline/index.js';
import type { RestRequest } from './rest-request.js';

// A request that did not come by the port, such as one of `inject()`, is Node's own or a likeness of it.
type AnyRequest = Partial<Pick<RestRequest, 'stream'>> & {
  readonly socket?: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean };
};

/** Address of the peer of a request. */
export function peerOf({ raw }: FastifyRequest): string {
  const { stream, socket } = raw as unknown as AnyRequest;
  return stream === undefined ? plainAddress(socket?.remoteAddress ?? '') : stream.peer.address;
}

/**
 * Has `request.ip`, `ips`, `protocol` and `host`, of which `hostname` and `port` are parts, say what trusted proxies have
 * forwarded. Fastify's own option for that knows only `x-forwarded-for`, and reads it less strictly.
 *
 * @param trustsProxies whether any proxy is trusted at the moment; if not, `ips` is `undefined`, as Fastify has it
 */
export function decoratePeer(fastify: FastifyInstance, trustsProxies: () => boolean): void {
  fastify.decorateRequest('ip', {
    getter() {
      return peerOf(this);
    },
  });
  fastify.decorateRequest('ips', {
    getter() {
      return forwardedOf(this)?.addresses ?? (trustsProxies() ? [peerOf(this)] : undefined);
    },
  });
  fastify.decorateRequest('protocol', {
    getter() {
      const { socket } = this.raw as unknown as AnyRequest;
      return forwardedOf(this)?.protocol ?? (socket?.encrypted === true ? 'https' : 'http');
    },
  });
  fastify.decorateRequest('host', {
    getter() {
      return forwardedOf(this)?.host ?? this.raw.headers.host ?? '';
    },
  });
}

function forwardedOf({ raw }: FastifyRequest): ForwardedPeer | undefined {
  const peer = (raw as unknown as AnyRequest).stream?.peer;
  return peer instanceof ForwardedPeer ? peer : undefined;
}
