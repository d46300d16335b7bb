import { type RequestEnd, requestEndChannel } from 'rookery/core';

/** What the access log would be told of one request. */
export interface EndedRequest {
  readonly operation: string;
  readonly httpStatus: number;
  readonly reason: string | undefined;
  readonly requestId: string;
  readonly isProbe: boolean;
}

/** Collects the end of every request in this process, until it is disposed. */
export function requestEnds(): { readonly list: readonly EndedRequest[] } & Disposable {
  const list: EndedRequest[] = [];
  const leave = requestEndChannel.subscribe(({ context, httpStatus, reason }: RequestEnd) => {
    const { operation, requestId, isProbe } = context;
    list.push({ operation, httpStatus, reason, requestId, isProbe });
  });
  return { list, [Symbol.dispose]: leave };
}
