import { weightedListOf } from '../../core/index.js';

const pattern = /^application\/grpc-web(-text)?(?=$|[+;])/;

/** In which of its two forms a call speaks gRPC-Web. */
export interface WebFormat {
  /** The request body is base64. */
  readonly isRequestText: boolean;
  /** The answer is to be base64. */
  readonly isAnswerText: boolean;
  /** The content type that a native call with the same messages has. */
  readonly nativeType: string;
}

/** Whether a request of this content type speaks gRPC-Web. */
export function isWebType(contentType: string | undefined): contentType is string {
  return contentType !== undefined && pattern.test(contentType);
}

/**
 * @param contentType one for which `isWebType` holds
 * @param accept what the caller takes; where it names neither form, the answer has that of the request
 */
export function webFormat(contentType: string, accept: string | undefined): WebFormat {
  const [prefix = '', text] = pattern.exec(contentType) ?? [];
  const named = firstWebType(accept ?? '');
  const isRequestText = text !== undefined;
  return {
    isRequestText,
    isAnswerText: named === undefined ? isRequestText : pattern.exec(named)?.[1] !== undefined,
    nativeType: `application/grpc${contentType.slice(prefix.length)}`,
  };
}

function firstWebType(accept: string): string | undefined {
  // Nearly all clients name no list, and many nothing at all.
  if (!accept.toLowerCase().includes('application/grpc-web')) return undefined;
  return weightedListOf(accept).find(({ name, weight }) => weight > 0 && pattern.test(name))?.name;
}

/** The content type of an answer that would natively have `nativeType`. */
export function webType(nativeType: string, isText: boolean): string {
  return `application/grpc-web${isText ? '-text' : ''}${nativeType.slice('application/grpc'.length)}`;
}
