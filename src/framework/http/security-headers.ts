import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** Header fields by their names in lower case. */
export type FixedHeaders = Readonly<Record<string, string>>;

/**
 * The headers that helmet sets. None depends on the request, so helmet is asked once, at the start, and the answers
 * that no route gives have them as well.
 */
export function securityHeaders(): FixedHeaders {
  const headers: Record<string, string> = {};
  const recorder = {
    setHeader: (name: string, value: string): void => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: (): void => {},
  };
  helmet()({} as IncomingMessage, recorder as unknown as ServerResponse, () => {});
  return headers;
}
