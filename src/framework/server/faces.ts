import type { RookeryError } from '../core/index.js';
import type { RestConnection, RestHead, RestStream } from '../http/index.js';
import type { Http2RequestHead, Http2Stream } from '../http2/index.js';

/** A stream of HTTP/1.1 or HTTP/2, as far as the faces need it. */
export type FaceStream = RestStream & Pick<Http2Stream, 'maxFieldsBytes'>;

/** The gRPC face as the port sees it; on HTTP/2 alone. */
export interface GrpcStreams {
  /** Whether a stream with this content type is a gRPC call; gRPC-Web is not. */
  handles(contentType: string | undefined): boolean;
  serve(stream: Http2Stream, head: Http2RequestHead): void;
  /** Answers without serving, as the protocol has it. */
  refuse(stream: Http2Stream, head: Http2RequestHead, error: RookeryError): void;
}

/** gRPC-Web as the port sees it. */
export interface GrpcWebStreams {
  handles(head: RestHead): boolean;
  /** Returns what ends the call where the rest of its request does not come. */
  serve(stream: FaceStream, head: RestHead): { fail(error: RookeryError): void } | undefined;
  /** Answers a call without serving, as the protocol has it. */
  refuse(stream: FaceStream, head: RestHead, error: RookeryError): void;
}

/** The HTTP face as the port sees it; it gets what is not gRPC. */
export interface HttpStreams {
  /** @param refusal why the request is not to be served, where what it asked for is known all the same */
  serve(stream: RestStream, head: RestHead, connection: RestConnection, refusal?: RookeryError): void;
  refuse(stream: RestStream, head: RestHead, error: RookeryError): void;
  /** The rest of a request's body will not come. Returns whether it is one that was served here. */
  fail(stream: RestStream, error: RookeryError): boolean;
}
