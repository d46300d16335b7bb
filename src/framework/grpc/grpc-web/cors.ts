import type { HeaderField } from '../../http2/index.js';
import type { OutgoingFields } from '../server-stream.js';

/** Which pages of other origins may call; what `http.cors` of the configuration says for REST. */
export interface CorsRules {
  /** `*` for all; empty switches CORS off. */
  readonly origins: readonly string[];
  /** Request headers that pages may send; empty allows what they ask for. */
  readonly headers: readonly string[];
  readonly credentials: boolean;
  /** How long a browser may keep the answer of a preflight, in seconds. */
  readonly maxAgeSeconds: number;
}

const methods: HeaderField = { name: 'access-control-allow-methods', value: 'POST' };
const withCredentials: HeaderField = { name: 'access-control-allow-credentials', value: 'true' };
const variesByOrigin: HeaderField = { name: 'vary', value: 'origin' };
const variesByRequest: HeaderField = { name: 'vary', value: 'origin, access-control-request-headers' };
const tokens = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;

// What a page may read in any case: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
const safelisted = new Set(['content-type', 'content-length']);
const statusNames = 'grpc-status,grpc-message,grpc-status-details-bin';

/** Appends to the headers of an answer what lets a page of `origin` read them. An origin that may not call gets nothing. */
export function allowReading(headers: OutgoingFields, rules: CorsRules, origin: string | undefined): void {
  if (rules.origins.length === 0) return;
  if (isAllowed(rules, origin)) {
    let exposed = statusNames;
    for (const { name } of headers) {
      if (!name.startsWith(':') && !safelisted.has(name) && !exposed.split(',').includes(name)) exposed += `,${name}`;
    }
    allowOrigin(headers, rules, origin);
    headers.push({ name: 'access-control-expose-headers', value: exposed });
  }
  headers.push(variesByOrigin);
}

/** The answer of a preflight: what an origin that may call is allowed, or nothing. */
export function preflightAnswer(
  rules: CorsRules,
  origin: string | undefined,
  requestHeaders: string | undefined,
): OutgoingFields {
  const answer: OutgoingFields = [{ name: ':status', value: '204' }];
  if (rules.origins.length === 0) return answer;
  if (isAllowed(rules, origin)) {
    allowOrigin(answer, rules, origin);
    answer.push(methods);
    // Metadata has any name: unless some are named, what is asked for is allowed, as on REST.
    if (rules.headers.length > 0) {
      answer.push({ name: 'access-control-allow-headers', value: rules.headers.join(', ') });
    } else if (requestHeaders !== undefined && tokens.test(requestHeaders)) {
      answer.push({ name: 'access-control-allow-headers', value: requestHeaders });
    }
    answer.push({ name: 'access-control-max-age', value: String(rules.maxAgeSeconds) });
  }
  answer.push(variesByRequest);
  return answer;
}

function isAllowed({ origins }: CorsRules, origin: string | undefined): origin is string {
  return origin !== undefined && (origins.includes(origin) || origins.includes('*'));
}

function allowOrigin(headers: OutgoingFields, { credentials }: CorsRules, origin: string): void {
  headers.push({ name: 'access-control-allow-origin', value: origin });
  if (credentials) headers.push(withCredentials);
}
