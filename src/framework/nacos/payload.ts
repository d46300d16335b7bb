import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { PayloadSchema } from '../../gen/nacos/nacos_grpc_service_pb.js';
import { NacosProtocolError } from './nacos.errors.js';

/** A message of the protocol: its name, and what its JSON says. */
export interface NacosMessage {
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** @param headers sent with the message: the access token, where there is one */
export function encodePayload(type: string, body: object, headers: Readonly<Record<string, string>> = {}): Buffer {
  const value = Buffer.from(JSON.stringify(body));
  const bytes = toBinary(PayloadSchema, create(PayloadSchema, { metadata: { type, headers }, body: { value } }));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @throws NacosProtocolError not an envelope, or its body is not a JSON object */
export function decodePayload(bytes: Uint8Array): NacosMessage {
  let type = '';
  try {
    const { metadata, body } = fromBinary(PayloadSchema, bytes);
    type = metadata?.type ?? '';
    const value = body?.value;
    const parsed: unknown = value === undefined || value.length === 0 ? {} : JSON.parse(textOf(value));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return { type, body: parsed as Readonly<Record<string, unknown>> };
    }
  } catch {
    // No cause: a parser's message quotes what it could not read, and that may be somebody's configuration.
  }
  throw new NacosProtocolError(`nacos: a message cannot be read (type: ${nameIn(type)}, ${bytes.length} bytes)`);
}

/** A text of the server that goes into a message: on one line, not long. */
export function nameIn(text: unknown): string {
  // oxlint-disable-next-line no-control-regex -- taken out, so that a log has no lines of a server's making
  return typeof text === 'string' ? text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 200) : '';
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}
