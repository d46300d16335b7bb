import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { replyFailure } from './reply-failure.js';

/**
 * Sees to a source that fails while its answer is on the way: a fault of the service, which would look as if the caller
 * had gone. Before anything of the answer is out, Fastify takes the error to the error handler itself.
 */
export function watchSource(reply: FastifyReply, source: Readable): void {
  source.once('error', (error: unknown) => {
    if (reply.raw.headersSent && !reply.raw.destroyed) replyFailure(reply.request, reply, error);
  });
}
