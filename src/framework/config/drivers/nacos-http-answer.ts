import {
  type HttpAnswer,
  NacosDeniedError,
  type NacosError,
  NacosOverloadedError,
  NacosRequestError,
  NacosUnavailableError,
} from '../../nacos/index.js';

const shownCharacters = 200;

/** The server says that there is no such document. Another 404 is not its own: a wrong path, or a proxy. */
export function isNothingThere({ status, body }: HttpAnswer): boolean {
  return status === 404 && /config data not exist/i.test(body);
}

/**
 * What an answer that is no success means.
 *
 * @param redact takes secrets out of the server's words
 */
export function refusalOf(
  address: string,
  { method, path }: { readonly method: string; readonly path: string },
  { status, body }: HttpAnswer,
  redact: (text: string) => string,
): NacosError {
  const where = `nacos: ${method} ${path} at ${address}`;
  if (status === 410) {
    return new NacosRequestError(status, `nacos: ${address} speaks gRPC only (HTTP status 410; nacos.transport: grpc)`);
  }
  if (status === 404) {
    return new NacosRequestError(status, `${where}: HTTP status 404 (expected: Nacos under nacos.contextPath)`);
  }
  const said = `${where}: HTTP status ${status}${wordsOf(redact(body))}`;
  if (status === 401 || status === 403) return new NacosDeniedError(said);
  if (status === 429) return new NacosOverloadedError(said);
  // The server while it starts, and proxies whose servers are away.
  if (status >= 502 && status <= 504) return new NacosUnavailableError(said);
  return new NacosRequestError(status, said);
}

/** Errors are short texts or JSON; a page of a proxy is nothing to log. */
function wordsOf(body: string): string {
  const message = /"message"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? body;
  const words = message.replaceAll(/\s+/g, ' ').trim();
  if (words === '' || words.startsWith('<')) return '';
  return `: ${words.length > shownCharacters ? `${words.slice(0, shownCharacters)}…` : words}`;
}
