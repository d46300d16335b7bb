import type { Any } from '@bufbuild/protobuf/wkt';

// What the suite's messages hold, as far as the service under test looks at them. Their descriptors are read at run time
// from the suite itself, so there are no generated types.

export interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

export interface ErrorDefinition {
  readonly code: number;
  readonly message?: string;
  readonly details: readonly Any[];
}

export interface UnaryResponseDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
  readonly response:
    | { readonly case: 'responseData'; readonly value: Uint8Array }
    | { readonly case: 'error'; readonly value: ErrorDefinition }
    | { readonly case: undefined };
}

export interface StreamResponseDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
  readonly responseData: readonly Uint8Array[];
  readonly error?: ErrorDefinition;
}

/** `UnaryRequest`, `IdempotentUnaryRequest` and `ClientStreamRequest`. */
export interface UnaryRequest {
  readonly responseDefinition?: UnaryResponseDefinition;
}

/** `ServerStreamRequest` and `BidiStreamRequest`. */
export interface StreamRequest {
  readonly responseDefinition?: StreamResponseDefinition;
  readonly fullDuplex?: boolean;
}

export interface RequestInfo {
  readonly requestHeaders?: readonly Header[];
  readonly timeoutMs?: bigint;
  readonly requests: readonly Any[];
}

export interface Payload {
  readonly payload: { readonly data?: Uint8Array; readonly requestInfo?: RequestInfo };
}

export interface ServerCompatRequest {
  readonly useTls: boolean;
  readonly clientTlsCert: Uint8Array;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
}
