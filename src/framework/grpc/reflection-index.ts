import { type DescExtension, type DescFile, type DescMessage, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.js';

/** Which file declares what, for all files that the given services need. */
export class ReflectionIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #messages = new Set<string>();
  readonly #encoded = new Map<DescFile, Uint8Array>();
  readonly #closures = new Map<DescFile, readonly DescFile[]>();
  /** Names of the services, in alphabetical order. */
  readonly serviceNames: readonly string[];
  /** Of all files together, serialised. */
  readonly totalBytes: number;

  constructor(services: readonly DescService[]) {
    for (const service of services) this.#addFile(service.file);
    // The details of failures travel as `Any`: no service mentions their types, and yet clients want to read them.
    this.#addFile(file_google_rpc_error_details);
    this.serviceNames = services.map(({ typeName }) => typeName).toSorted();
    this.totalBytes = this.#encodeAll();
  }

  fileByName(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** @param symbol full name of a message, field, oneof, enum, enum value, service, method or extension */
  fileBySymbol(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol.startsWith('.') ? symbol.slice(1) : symbol);
  }

  fileByExtension(typeName: string, number: number): DescFile | undefined {
    return this.#extensions.get(typeName)?.get(number);
  }

  /** Ascending; `undefined` for a message type that is not known. */
  extensionNumbers(typeName: string): number[] | undefined {
    if (!this.#messages.has(typeName)) return undefined;
    return [...(this.#extensions.get(typeName)?.keys() ?? [])].toSorted((a, b) => a - b);
  }

  /** The file as a serialised FileDescriptorProto; made once. */
  encode(file: DescFile): Uint8Array {
    return this.#encoded.get(file) as Uint8Array;
  }

  /** The file and all it imports, directly or not, the file itself first; made once. */
  closure(file: DescFile): readonly DescFile[] {
    let closure = this.#closures.get(file);
    if (closure === undefined) this.#closures.set(file, (closure = closureOf(file)));
    return closure;
  }

  #encodeAll(): number {
    let total = 0;
    for (const file of this.#files.values()) {
      const bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#encoded.set(file, bytes);
      total += bytes.byteLength;
    }
    return total;
  }

  #addFile(file: DescFile): void {
    // `DescFile.name` lacks the suffix, `proto.name` is what other files import.
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
    for (const message of file.messages) this.#addMessage(message);
    for (const { typeName, values } of file.enums) this.#addEnum(file, typeName, values);
    for (const extension of file.extensions) this.#addExtension(extension);
    for (const { typeName, methods } of file.services) {
      this.#symbols.set(typeName, file);
      for (const method of methods) this.#symbols.set(`${typeName}.${method.name}`, file);
    }
  }

  #addMessage(message: DescMessage): void {
    const { file, typeName } = message;
    this.#messages.add(typeName);
    this.#symbols.set(typeName, file);
    for (const { name } of [...message.fields, ...message.oneofs]) this.#symbols.set(`${typeName}.${name}`, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested);
    // `nestedMessages` leaves out what the compiler makes of a map field.
    for (const { name, field, options } of message.proto.nestedType)
      if (options?.mapEntry === true) this.#addMapEntry(file, `${typeName}.${name}`, field);
    for (const { typeName: name, values } of message.nestedEnums) this.#addEnum(file, name, values);
    for (const extension of message.nestedExtensions) this.#addExtension(extension);
  }

  #addMapEntry(file: DescFile, typeName: string, fields: readonly { readonly name: string }[]): void {
    this.#messages.add(typeName);
    this.#symbols.set(typeName, file);
    for (const { name } of fields) this.#symbols.set(`${typeName}.${name}`, file);
  }

  #addEnum(file: DescFile, typeName: string, values: readonly { readonly name: string }[]): void {
    this.#symbols.set(typeName, file);
    // Values are siblings of their enum in protobuf's naming; some clients ask for them as its children.
    const scope = typeName.slice(0, typeName.lastIndexOf('.') + 1);
    for (const { name } of values) {
      this.#symbols.set(`${scope}${name}`, file);
      this.#symbols.set(`${typeName}.${name}`, file);
    }
  }

  #addExtension({ typeName, extendee, number, file }: DescExtension): void {
    this.#symbols.set(typeName, file);
    const known = this.#extensions.get(extendee.typeName) ?? new Map<number, DescFile>();
    this.#extensions.set(extendee.typeName, known.set(number, file));
  }
}

function closureOf(file: DescFile): readonly DescFile[] {
  // A set that grows while it is walked: each file once, in the order in which it is first imported.
  const wanted = new Set([file]);
  for (const each of wanted) for (const dependency of each.dependencies) wanted.add(dependency);
  return [...wanted];
}
