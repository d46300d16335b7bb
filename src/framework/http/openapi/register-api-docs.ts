import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { replyFailure } from '../reply-failure.js';
import { type ApiInfo, describeApi, type SwaggerPackage } from './describe-api.js';
import { docsHtml, docsPolicy, docsScript } from './docs-page.js';
import { PrecomputedAnswer } from './precomputed-answer.js';

const assetTypes: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

// The addresses of assets carry their version, everything else is asked for again and mostly answered 304.
const keepForEver = 'public, max-age=31536000, immutable';
const askAgain = 'no-cache';

/** How the API is described, and to whom. */
export interface ApiDocsOptions extends ApiInfo {
  /** Admits the caller of a request, or throws; everybody is admitted where it is not given. */
  readonly admit?: () => unknown;
}

/** A GET of the description or its page: one answer for all callers. */
export type ApiDocsRoute = () => PrecomputedAnswer | Promise<PrecomputedAnswer>;

/** What is served about the API, by path. */
export type ApiDocs = ReadonlyMap<string, ApiDocsRoute>;

/**
 * Serves the description of the REST side at `/openapi.json` and a page that shows it at `/docs`, to those that `admit`
 * lets in. The document is made here, once. The page's parts come with the service: it works without a network.
 *
 * Call it when the modules, the global prefix, versioning and the HTTP plugins are set up, before the application
 * listens; before or after `app.init()` makes no difference. Without the optional package `@nestjs/swagger` it says so
 * in one log line and serves nothing.
 */
export async function registerApiDocs(app: NestFastifyApplication, options: ApiDocsOptions): Promise<void> {
  const docs = await makeApiDocs(app, options);
  if (docs === undefined) return;
  const fastify = app.getHttpAdapter().getInstance();
  const guards = options.admit === undefined ? {} : { onRequest: guardOf(options.admit) };
  for (const [path, answer] of docs) {
    fastify.get(path, guards, async (request, reply) => (await answer()).send(request, reply));
  }
  fastify.get('/docs/', guards, (_request, reply) => reply.redirect('../docs', 302));
}

/** What `registerApiDocs()` serves, for another port; `undefined` without the package `@nestjs/swagger`. */
export async function makeApiDocs(app: NestFastifyApplication, options: ApiInfo): Promise<ApiDocs | undefined> {
  const swagger = await loadSwagger();
  if (swagger === undefined) return undefined;
  const document = await PrecomputedAnswer.of(JSON.stringify(describeApi(app, swagger, options)), {
    contentType: 'application/json; charset=utf-8',
    cacheControl: askAgain,
  });
  return new Map<string, ApiDocsRoute>([['/openapi.json', () => document], ...(await pageRoutes(options))]);
}

// A hook of the route itself: it runs inside the request's context, before anything is read.
function guardOf(admit: () => unknown): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  return async (request, reply) => {
    try {
      await admit();
      return undefined;
    } catch (error) {
      replyFailure(request, reply, error);
      return reply;
    }
  };
}

async function loadSwagger(): Promise<SwaggerPackage | undefined> {
  try {
    return await import('@nestjs/swagger');
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    new Logger('ApiDocs').warn(
      `no /openapi.json and no /docs: @nestjs/swagger cannot be loaded (${reason}); install it, or set http.docs to false`,
    );
    return undefined;
  }
}

async function pageRoutes({ title, serverUrl }: ApiInfo): Promise<[string, ApiDocsRoute][]> {
  // The assets are a dependency of swagger's, not ours: they are found from where it lies.
  const fromSwagger = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
  const manifest = fromSwagger.resolve('swagger-ui-dist/package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const page = await PrecomputedAnswer.of(docsHtml({ title, assetsVersion: version }), {
    contentType: 'text/html; charset=utf-8',
    cacheControl: askAgain,
    contentSecurityPolicy: docsPolicy(serverUrl),
  });
  const script = await PrecomputedAnswer.of(docsScript, {
    contentType: 'text/javascript; charset=utf-8',
    cacheControl: askAgain,
  });
  const assets = Object.entries(assetTypes).map(([name, contentType]): [string, ApiDocsRoute] => [
    `/docs/${name}`,
    onFirstUse(async () =>
      PrecomputedAnswer.of(await readFile(join(dirname(manifest), name)), { contentType, cacheControl: keepForEver }),
    ),
  ]);
  return [['/docs', () => page], ['/docs/init.js', () => script], ...assets];
}

// Most processes never show the page: its 1.5 MB are read when somebody does. A failed reading is tried again.
function onFirstUse<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
