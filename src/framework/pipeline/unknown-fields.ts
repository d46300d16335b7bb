import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { FieldViolation } from '../core/index.js';

type Search = (message: Message, path: string, found: FieldViolation[]) => void;

// Nobody mends more at a time, and a message has room for a million.
const maxTold = 100;
const none: readonly FieldViolation[] = [];
// What protobuf-es gives in a form of its own (JSON, plain values) instead of a message.
const ownForm = /^google\.protobuf\.(Struct|ListValue|\w*Value)$/;

/**
 * Finds what a message carries beside the fields of its type: numbers of a newer or of no version. Made once per
 * message type. For a type without nested messages a look costs one property; else one for each message there is.
 */
export class UnknownFields {
  readonly #search: Search;

  constructor(desc: DescMessage) {
    this.#search = searchOf(desc, new Map());
  }

  /** The unknown fields by number, such as `#9`, `address.#7`, `items[2].#9`: each once, 100 at most. */
  of(message: Message): readonly FieldViolation[] {
    const found: FieldViolation[] = [];
    this.#search(message, '', found);
    return found.length === 0 ? none : found;
  }
}

function searchOf(desc: DescMessage, known: Map<DescMessage, Search>): Search {
  const nested: Search[] = [];
  const search: Search = (message, path, found) => {
    if (message.$unknown !== undefined) tell(message, desc, path, found);
    for (const each of nested) each(message, path, found);
  };
  // Before its fields are looked at: message types may contain themselves.
  known.set(desc, search);
  for (const field of desc.fields) {
    const inner = field.message;
    if (inner !== undefined && !ownForm.test(inner.typeName))
      nested.push(within(field, known.get(inner) ?? searchOf(inner, known)));
  }
  return search;
}

function within(field: DescField, search: Search): Search {
  const { localName, oneof, fieldKind } = field;
  const valueOf = (message: Message): unknown => {
    if (oneof === undefined) return (message as unknown as Record<string, unknown>)[localName];
    const chosen = (message as unknown as Record<string, { case?: string; value?: unknown }>)[oneof.localName];
    return chosen?.case === localName ? chosen.value : undefined;
  };
  return (message, path, found) => {
    const value = valueOf(message);
    if (value === undefined) return;
    const name = join(path, localName);
    if (fieldKind === 'list') {
      for (const [index, item] of (value as Message[]).entries()) search(item, `${name}[${index}]`, found);
    } else if (fieldKind === 'map') {
      for (const [key, item] of Object.entries(value as Record<string, Message>)) search(item, `${name}.${key}`, found);
    } else {
      search(value as Message, name, found);
    }
  };
}

function tell(message: Message, desc: DescMessage, path: string, found: FieldViolation[]): void {
  for (const number of new Set(message.$unknown?.map(({ no }) => no))) {
    if (found.length === maxTold) return;
    // A value that a closed enum does not have is kept here too, under the number of its field.
    const known = desc.fields.find((field) => field.number === number);
    const field = join(path, known?.localName ?? `#${number}`);
    found.push(
      known === undefined
        ? { field, rule: 'unknownField', message: `${field} is not a known field` }
        : { field, rule: 'type', message: `${field} has a value that is not known` },
    );
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
