import type { DescFile, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponseSchema,
} from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { type Live, Status } from '../core/index.js';
import { ReflectionLimitError, ReflectionNameError } from './grpc.errors.js';
import type { GrpcOptions } from './grpc.options.js';
import type { MethodTable } from './method-table.js';
import { ReflectionIndex } from './reflection-index.js';
import { requestsOf } from './request-stream.js';
import type { ServerCall } from './server-call.js';

type Request = MessageShape<typeof ServerReflectionRequestSchema>;
type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse'];

// Full names of protobuf and paths of files are far shorter; what is sent is copied into the response.
const maxNameLength = 1024;

/** Whom reflection describes the services to, and how much of it one stream receives. */
export interface ReflectionInit {
  /** The services that are described. */
  readonly services: () => readonly DescService[];
  readonly options: Live<Pick<GrpcOptions, 'maxReflectionRequests' | 'maxReflectionBytes'>>;
  /** Admits the caller of the current call, or throws; everybody is admitted where it is not given. */
  readonly admit?: (() => unknown) | undefined;
}

/**
 * Serves `grpc.reflection.v1` and `v1alpha`, which differ in their package name only. Responses are made of parts that are
 * encoded once, and one stream receives a bounded number and size of them.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/server-reflection.md
 */
export function bindReflection(methods: MethodTable<ServerCall>, init: ReflectionInit): void {
  let index: ReflectionIndex | undefined;
  // Made on the first request: by then all services are bound.
  const current = (): ReflectionIndex => (index ??= new ReflectionIndex(init.services()));
  for (const service of [ServerReflection, ServerReflectionAlpha]) {
    methods.bind(service.method.serverReflectionInfo, (call) => reflect(current, init, call), {
      unknownFields: 'skipped',
    });
  }
}

async function* reflect(
  current: () => ReflectionIndex,
  { options, admit }: ReflectionInit,
  call: ServerCall,
): AsyncIterable<unknown> {
  await admit?.();
  const index = current();
  const sent = new Sent(index, options.value);
  for await (const request of requestsOf(call) as AsyncIterable<Request>) {
    sent.countRequest();
    // A plain copy: the two versions' messages are not interchangeable, their fields are.
    const { host, messageRequest } = request;
    checkLength(host);
    checkLength(nameIn(messageRequest));
    yield {
      validHost: host,
      originalRequest: { host, messageRequest: copyOf(messageRequest) },
      messageResponse: answer(index, messageRequest, sent),
    };
  }
}

/** What one stream has received. */
class Sent {
  readonly #index: ReflectionIndex;
  readonly #files = new Set<DescFile>();
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  #requests = 0;
  #bytes = 0;

  constructor(index: ReflectionIndex, limits: Pick<GrpcOptions, 'maxReflectionRequests' | 'maxReflectionBytes'>) {
    this.#index = index;
    this.#maxRequests = limits.maxReflectionRequests;
    // All descriptors once, however large a service is.
    this.#maxBytes = Math.max(limits.maxReflectionBytes, index.totalBytes);
  }

  countRequest(): void {
    this.#requests += 1;
    if (this.#requests > this.#maxRequests) throw new ReflectionLimitError(this.#maxRequests, 'requests');
  }

  /** The file and all it imports, without what this stream has received before; the file itself always. */
  take(file: DescFile): Uint8Array[] {
    const fresh = this.#index.closure(file).filter((each) => each === file || !this.#files.has(each));
    const encoded = fresh.map((each) => this.#index.encode(each));
    for (const bytes of encoded) this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#maxBytes) throw new ReflectionLimitError(this.#maxBytes, 'bytes');
    for (const each of fresh) this.#files.add(each);
    return encoded;
  }
}

function checkLength(name: string): void {
  if (name.length > maxNameLength) throw new ReflectionNameError(maxNameLength, name.length);
}

function nameIn(question: Request['messageRequest']): string {
  if (question.case === undefined) return '';
  return question.case === 'fileContainingExtension' ? question.value.containingType : question.value;
}

function copyOf(question: Request['messageRequest']): unknown {
  if (question.case !== 'fileContainingExtension') return question;
  const { containingType, extensionNumber } = question.value;
  return { case: question.case, value: { containingType, extensionNumber } };
}

function answer(index: ReflectionIndex, question: Request['messageRequest'], sent: Sent): Answer {
  switch (question.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: { service: index.serviceNames.map((name) => ({ name })) },
      };
    case 'fileByFilename':
      return files(index.fileByName(question.value), `file not found: ${question.value}`, sent);
    case 'fileContainingSymbol':
      return files(index.fileBySymbol(question.value), `symbol not found: ${question.value}`, sent);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      const file = index.fileByExtension(containingType, extensionNumber);
      return files(file, `extension not found: ${extensionNumber} of ${containingType}`, sent);
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = index.extensionNumbers(question.value);
      if (extensionNumber === undefined) return failure(Status.NotFound, `type not found: ${question.value}`);
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: question.value, extensionNumber } };
    }
    default:
      return failure(Status.InvalidArgument, 'message_request is not set');
  }
}

function files(file: DescFile | undefined, missing: string, sent: Sent): Answer {
  if (file === undefined) return failure(Status.NotFound, missing);
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: sent.take(file) } };
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}
