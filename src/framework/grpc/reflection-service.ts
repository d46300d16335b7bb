import type { DescFile, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponseSchema,
} from '../../gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Status } from '../core/index.js';
import type { MethodTable } from './method-table.js';
import { ReflectionIndex } from './reflection-index.js';
import { requestsOf } from './request-stream.js';
import type { ServerCall } from './server-call.js';

type Request = MessageShape<typeof ServerReflectionRequestSchema>;
type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse'];

/**
 * Serves `grpc.reflection.v1` and `v1alpha`, which differ in their package name only.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/server-reflection.md
 */
export function bindReflection(methods: MethodTable<ServerCall>): void {
  let index: ReflectionIndex | undefined;
  // Made on the first question: by then all services are bound.
  const current = (): ReflectionIndex => (index ??= new ReflectionIndex(methods.services));
  for (const service of [ServerReflection, ServerReflectionAlpha]) {
    methods.bind(
      service.method.serverReflectionInfo,
      (call) => reflect(current(), methods, requestsOf(call) as AsyncIterable<Request>),
      { unknownFields: 'skipped' },
    );
  }
}

async function* reflect(
  index: ReflectionIndex,
  methods: MethodTable<ServerCall>,
  requests: AsyncIterable<Request>,
): AsyncIterable<unknown> {
  const sent = new Set<DescFile>();
  for await (const request of requests) {
    // A plain copy: the two versions' messages are not interchangeable, their fields are.
    const { host, messageRequest } = request;
    yield {
      validHost: host,
      originalRequest: { host, messageRequest: copyOf(messageRequest) },
      messageResponse: answer(index, methods, messageRequest, sent),
    };
  }
}

function copyOf(question: Request['messageRequest']): unknown {
  if (question.case !== 'fileContainingExtension') return question;
  const { containingType, extensionNumber } = question.value;
  return { case: question.case, value: { containingType, extensionNumber } };
}

function answer(
  index: ReflectionIndex,
  methods: MethodTable<ServerCall>,
  question: Request['messageRequest'],
  sent: Set<DescFile>,
): Answer {
  switch (question.case) {
    case 'listServices': {
      const service = methods.services
        .map(({ typeName }) => ({ name: typeName }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return { case: 'listServicesResponse', value: { service } };
    }
    case 'fileByFilename':
      return files(index, index.fileByName(question.value), `file not found: ${question.value}`, sent);
    case 'fileContainingSymbol':
      return files(index, index.fileBySymbol(question.value), `symbol not found: ${question.value}`, sent);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      const file = index.fileByExtension(containingType, extensionNumber);
      return files(index, file, `extension not found: ${extensionNumber} of ${containingType}`, sent);
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

// The file and all it imports, without what this stream has sent before; the file itself always.
function files(index: ReflectionIndex, file: DescFile | undefined, missing: string, sent: Set<DescFile>): Answer {
  if (file === undefined) return failure(Status.NotFound, missing);
  const wanted: DescFile[] = [file];
  const seen = new Set(wanted);
  for (const each of wanted) {
    for (const dependency of each.dependencies) {
      if (seen.has(dependency)) continue;
      seen.add(dependency);
      wanted.push(dependency);
    }
  }
  const fresh = wanted.filter((each) => each === file || !sent.has(each));
  for (const each of fresh) sent.add(each);
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto: fresh.map((each) => index.encode(each)) } };
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } };
}
