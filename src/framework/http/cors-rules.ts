import type { FastifyRequest } from 'fastify';
import { isToken, listOf, type Live } from '../core/index.js';
import type { CorsOptions, HttpOptions } from './http.options.js';

/** What `@fastify/cors` is told of one request. */
export interface CorsAnswer {
  /** `false` where the page gets nothing. */
  readonly origin: string | false;
  readonly preflight?: boolean;
  readonly methods?: string[];
  /** Where it is missing, what the page asks for. */
  readonly allowedHeaders?: string[];
  readonly exposedHeaders?: string[];
  readonly credentials?: boolean;
  readonly maxAge?: number;
}

type Decide = (error: Error | null, answer: CorsAnswer) => void;

const nothing: CorsAnswer = { origin: false };

/** Answers by the rules of the moment, so that a change of `http.cors` holds from the next request on. */
export function corsByRules(options: Live<HttpOptions>): (request: FastifyRequest, decide: Decide) => void {
  return ({ method, headers }, decide) => {
    const rules = options.value.cors;
    const { origin, 'access-control-request-method': wanted, 'access-control-request-headers': names } = headers;
    // The list is reflected in the response; no browser sends anything but names.
    const isBroken = names !== undefined && !listOf(names).every(isToken);
    const isAllowed = origin !== undefined && (rules.origins.includes(origin) || rules.origins.includes('*'));
    if (!isAllowed || isBroken) decide(null, nothing);
    // Any other OPTIONS is a request like all: https://fetch.spec.whatwg.org/#cors-preflight-request
    else decide(null, answerFor(rules, origin, method === 'OPTIONS' && wanted !== undefined && isToken(wanted)));
  };
}

function answerFor(rules: CorsOptions, origin: string, preflight: boolean): CorsAnswer {
  return {
    origin,
    preflight,
    methods: [...rules.methods],
    ...(rules.headers.length > 0 && { allowedHeaders: [...rules.headers] }),
    exposedHeaders: [...rules.exposedHeaders],
    credentials: rules.credentials,
    maxAge: rules.maxAgeSeconds,
  };
}
