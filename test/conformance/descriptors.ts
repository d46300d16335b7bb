import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const packageName = 'connectrpc.conformance.v1';

// Written by scripts/conformance.mjs from the .proto files of the suite.
const path = process.env['CONFORMANCE_DESCRIPTORS'];
if (path === undefined)
  throw new Error('CONFORMANCE_DESCRIPTORS is not set (expected: npm run conformance starts this)');
const registry: FileRegistry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));

/** A message type of the suite. */
export function messageType(name: string): DescMessage {
  const found = registry.getMessage(`${packageName}.${name}`);
  if (found === undefined) throw new Error(`the suite has no message ${name}`);
  return found;
}

/** A service of the suite. */
export function serviceType(name: string): DescService {
  const found = registry.getService(`${packageName}.${name}`);
  if (found === undefined) throw new Error(`the suite has no service ${name}`);
  return found;
}
