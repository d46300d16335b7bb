import compress from '@fastify/compress';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Live } from '../core/index.js';
import { corsByRules } from './cors-rules.js';
import { shortenCors } from './cors-shortcut.js';
import { HttpAdapter } from './http-adapter.js';
import type { HttpOptions } from './http.options.js';

/** Puts compression and CORS in front of the routes. Call before `app.init()`. */
export async function registerHttpPlugins(app: NestFastifyApplication, options: Live<HttpOptions>): Promise<void> {
  const { compression, compressionMinBytes } = options.value;
  // That of CORS has a route of its own, which gets the handler that there is when it is loaded.
  const adapter = app.getHttpAdapter();
  if (adapter instanceof HttpAdapter) adapter.setErrorHandler();
  if (compression) {
    await app.register(compress, {
      threshold: compressionMinBytes,
      // Only what is whole in memory: streams, events and byte ranges go out as they are.
      customTypes: /^(application\/(json|problem\+json)|text\/html)\b/,
      encodings: ['br', 'gzip', 'deflate', 'identity'],
      // Bodies of requests are decoded in turns, and whole: see `coded-body.ts`.
      globalDecompression: false,
    });
  }
  app.enableCors({ delegator: corsByRules(options) });
  const shorten = (fastify: FastifyInstance, _options: object, done: () => void): void => {
    const shortcut = shortenCors(adapter, fastify);
    if (shortcut !== undefined && adapter instanceof HttpAdapter)
      adapter.openLane({
        ...shortcut,
        // That of middie, and those of @fastify/compress.
        hooks: compression ? { onRequest: 2, onSend: 1 } : { onRequest: 1 },
        compressionMinBytes: compression ? compressionMinBytes : undefined,
      });
    done();
  };
  // On the root, behind the one that Nest has just registered.
  await app.register(Object.assign(shorten, { [Symbol.for('skip-override')]: true }));
}
