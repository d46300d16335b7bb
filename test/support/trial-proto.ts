import { create, createFileRegistry, type DescService } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  type MethodDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import type { MessageInitShape } from '@bufbuild/protobuf';

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>;
type MethodInit = MessageInitShape<typeof MethodDescriptorProtoSchema>;

const packageName = 'trial.service.v1';

// A contract that only tests serve: written here, as `proto/` is published.
const file = create(FileDescriptorProtoSchema, {
  name: 'trial/service/v1/trial.proto',
  package: packageName,
  syntax: 'proto3',
  messageType: [
    { name: 'TrialItem', field: [scalar('name', 1, Type.STRING), scalar('quantity', 2, Type.INT32)] },
    {
      name: 'TrialOrder',
      field: [
        scalar('title', 1, Type.STRING),
        message('items', 2, 'TrialItem', Label.REPEATED),
        message('gift', 3, 'TrialItem'),
        { ...scalar('tags', 4, Type.STRING), label: Label.REPEATED },
      ],
    },
    {
      name: 'TrialBulk',
      oneofDecl: [{ name: 'choice' }],
      field: [
        { ...scalar('numbers', 1, Type.INT32), label: Label.REPEATED },
        message('labels', 2, 'TrialBulk.LabelsEntry', Label.REPEATED),
        { ...message('item', 3, 'TrialItem'), oneofIndex: 0 },
        { ...message('other', 4, 'TrialItem'), oneofIndex: 0 },
        { ...scalar('blobs', 5, Type.BYTES), label: Label.REPEATED },
        message('inner', 6, 'TrialBulk'),
      ],
      nestedType: [
        {
          name: 'LabelsEntry',
          options: { mapEntry: true },
          field: [scalar('key', 1, Type.STRING), scalar('value', 2, Type.STRING)],
        },
      ],
    },
    {
      name: 'TrialRequest',
      field: [scalar('mode', 1, Type.STRING), scalar('count', 2, Type.INT32), scalar('size', 3, Type.INT32)],
    },
    {
      name: 'TrialReply',
      field: [scalar('text', 1, Type.STRING), scalar('number', 2, Type.INT32), scalar('data', 3, Type.BYTES)],
    },
  ],
  service: [
    {
      name: 'TrialService',
      method: [
        method('PlaceOrder', 'TrialOrder', 'TrialOrder'),
        method('Weigh', 'TrialBulk', 'TrialReply'),
        method('Inspect', 'TrialRequest', 'TrialReply'),
        method('Fail', 'TrialRequest', 'TrialReply'),
        method('FailStream', 'TrialRequest', 'TrialReply', { serverStreaming: true }),
        method('FailUpload', 'TrialRequest', 'TrialReply', { clientStreaming: true }),
        method('FailChat', 'TrialRequest', 'TrialReply', { clientStreaming: true, serverStreaming: true }),
        method('Produce', 'TrialRequest', 'TrialReply', { serverStreaming: true }),
        method('Consume', 'TrialReply', 'TrialReply', { clientStreaming: true }),
        method('Echo', 'TrialReply', 'TrialReply', { clientStreaming: true, serverStreaming: true }),
      ],
    },
    {
      name: 'CompatService',
      method: [
        method('Unary', 'TrialRequest', 'TrialReply'),
        method('UnaryObservable', 'TrialRequest', 'TrialReply'),
        method('Empty', 'TrialRequest', 'TrialReply'),
        method('Guarded', 'TrialRequest', 'TrialReply'),
        method('Filtered', 'TrialRequest', 'TrialReply'),
        method('Scoped', 'TrialRequest', 'TrialReply'),
        method('Order', 'TrialOrder', 'TrialReply'),
        method('List', 'TrialRequest', 'TrialReply', { serverStreaming: true }),
        method('Sum', 'TrialReply', 'TrialReply', { clientStreaming: true }),
        method('CheckedSum', 'TrialReply', 'TrialReply', { clientStreaming: true }),
        method('Talk', 'TrialReply', 'TrialReply', { clientStreaming: true, serverStreaming: true }),
        method('Pass', 'TrialReply', 'TrialReply', { clientStreaming: true, serverStreaming: true }),
      ],
    },
  ],
});

const registry = createFileRegistry(file, () => undefined);

/** The trial service by `@Rpc()`. */
export const TrialService: DescService = service('TrialService');
/** The trial service by Nest's own decorators. */
export const CompatService: DescService = service('CompatService');

function scalar(name: string, number: number, type: Type): FieldInit {
  return { name, number, type, label: Label.OPTIONAL, jsonName: name };
}

function message(name: string, number: number, typeName: string, label = Label.OPTIONAL): FieldInit {
  return { name, number, type: Type.MESSAGE, typeName: `.${packageName}.${typeName}`, label, jsonName: name };
}

function method(
  name: string,
  input: string,
  output: string,
  streaming: Pick<MethodInit, 'clientStreaming' | 'serverStreaming'> = {},
): MethodInit {
  return { name, inputType: `.${packageName}.${input}`, outputType: `.${packageName}.${output}`, ...streaming };
}

function service(name: string): DescService {
  const found = registry.getService(`${packageName}.${name}`);
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}
