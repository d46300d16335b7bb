import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';

type MessageField = DescField & { readonly message: DescMessage };

/** Whether the field holds plain JSON: `google.protobuf.Struct` anywhere but in a `google.protobuf.Value`. */
export function isJsonStruct(field: MessageField): boolean {
  return field.message.typeName === 'google.protobuf.Struct' && field.parent.typeName !== 'google.protobuf.Value';
}

/** Whether the field holds the value alone: a message of wrappers.proto in a singular field outside a oneof. */
export function isUnwrapped(field: MessageField): boolean {
  return field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(field.message);
}
