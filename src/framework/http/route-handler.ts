import type { FastifyReply, FastifyRequest } from 'fastify';

/** Takes an answer past Fastify. */
export interface Sender {
  /** @returns false: this one is not for it, and nothing has been done */
  send(body: unknown): boolean;
}

/** Serves one request; it answers by the reply alone, or by `sender` where that takes the answer. */
export type RouteHandler = (request: FastifyRequest, reply: FastifyReply, sender?: Sender) => void;
