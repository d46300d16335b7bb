import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { FieldViolation } from '../core/index.js';

/** Where a message lies: its own name, and what it lies in. */
interface Place {
  readonly parent: Place | undefined;
  readonly name: string;
  /** Index in a list or key of a map. */
  readonly key: number | string | undefined;
}

/** Returns whether enough was found. */
type Search = (message: Message, place: Place | undefined, found: FieldViolation[]) => boolean;

// As many as are named to the client: those in front suffice to see which contract it has.
const maxNamed = 32;
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

  /** The unknown fields by number, such as `#9`, `address.#7`, `items[2].#9`: each once, 32 at most. */
  of(message: Message): readonly FieldViolation[] {
    const found: FieldViolation[] = [];
    this.#search(message, undefined, found);
    return found.length === 0 ? none : found;
  }
}

function searchOf(desc: DescMessage, known: Map<DescMessage, Search>): Search {
  const nested: Search[] = [];
  const search: Search = (message, place, found) => {
    if (message.$unknown !== undefined) name(message, desc, place, found);
    for (const each of nested) if (found.length === maxNamed || each(message, place, found)) return true;
    return false;
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
  // Paths are put together for what is found only: a list may be long.
  return (message, parent, found) => {
    const value = valueOf(message);
    if (value === undefined) return false;
    if (fieldKind === 'list') {
      const items = value as Message[];
      for (let index = 0; index < items.length; index += 1)
        if (search(items[index] as Message, { parent, name: localName, key: index }, found)) return true;
      return false;
    }
    if (fieldKind !== 'map') return search(value as Message, { parent, name: localName, key: undefined }, found);
    const entries = value as Record<string, Message>;
    for (const key of Object.keys(entries))
      if (search(entries[key] as Message, { parent, name: localName, key }, found)) return true;
    return false;
  };
}

function name(message: Message, desc: DescMessage, place: Place | undefined, found: FieldViolation[]): void {
  const seen = new Set<number>();
  for (const { no } of message.$unknown ?? []) {
    if (found.length === maxNamed) return;
    if (seen.has(no)) continue;
    seen.add(no);
    // A value that a closed enum does not have is kept here too, under the number of its field.
    const known = desc.fields.find((field) => field.number === no);
    const field = join(pathOf(place), known?.localName ?? `#${no}`);
    found.push(
      known === undefined
        ? { field, rule: 'unknownField', message: `${field} is not a known field` }
        : { field, rule: 'type', message: `${field} has a value that is not known` },
    );
  }
}

function pathOf(place: Place | undefined): string {
  if (place === undefined) return '';
  const { parent, key } = place;
  const path = join(pathOf(parent), place.name);
  if (key === undefined) return path;
  return typeof key === 'number' ? `${path}[${key}]` : `${path}.${key}`;
}

function join(path: string, last: string): string {
  return path === '' ? last : `${path}.${last}`;
}
