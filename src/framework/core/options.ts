/**
 * Marks on options classes. They stand here because every module has options and none may import the module that
 * reads them; the marks are kept on the prototype under `Symbol.for` keys, so two installed copies understand each other.
 */
const secretKey = Symbol.for('rookery.option.secret');
const keptKey = Symbol.for('rookery.option.kept');
const restartKey = Symbol.for('rookery.option.restart');
const movedKey = Symbol.for('rookery.option.moved');
const prefixKey = Symbol.for('rookery.option.prefix');
const prefixesKey = Symbol.for('rookery.option.prefixes');
const localKey = Symbol.for('rookery.option.local');
const spellingsKey = Symbol.for('rookery.option.spellings');

type Marked = Record<symbol, unknown>;

/** A class without constructor arguments: its instances carry the defaults. */
export type OptionsClass<T extends object = object> = new () => T;

/**
 * Says which section of the configuration fills the class.
 *
 * @param prefix path of the section, such as `paging` or `server.limits`
 */
export function ConfigPrefix(prefix: string): ClassDecorator {
  if (!/^[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)*$/.test(prefix)) {
    throw new Error(`@ConfigPrefix: prefix: ${JSON.stringify(prefix)} (expected: names joined by dots)`);
  }
  return (target) => {
    Object.defineProperty(target, prefixKey, { value: prefix });
    prefixes().add(prefix);
  };
}

/** The section of a class, or `undefined` when it states none. */
export function configPrefixOf(options: OptionsClass): string | undefined {
  const prefix = (options as unknown as Marked)[prefixKey];
  return typeof prefix === 'string' ? prefix : undefined;
}

/** Every prefix that a loaded class states. */
export function configPrefixes(): ReadonlySet<string> {
  return prefixes();
}

/** The value of this option appears in no message, log line or printout. */
export function Secret(): PropertyDecorator {
  return (prototype, property) => mark(prototype, secretKey, property);
}

/**
 * A rollback of the configuration keeps the present value of this option, and of all below it: for what chooses a key or
 * certificate and is no secret itself. Options marked `@Secret()` and those named like a secret are kept anyway.
 */
export function KeptOnRollback(): PropertyDecorator {
  return (prototype, property) => mark(prototype, keptKey, property);
}

/** A change of this option is taken over by the next start only. */
export function NeedsRestart(): PropertyDecorator {
  return (prototype, property) => mark(prototype, restartKey, property);
}

/**
 * States where an option has moved that the class had before: a configuration that still sets it is refused with that hint.
 *
 * @param name  of the option in this section
 * @param to    what to set instead, such as `server.trustProxy, a number of proxies or their addresses`
 */
export function Moved(name: string, to: string): ClassDecorator {
  return (target) => {
    const { prototype } = target as { readonly prototype: Marked };
    const inherited = prototype[movedKey] as ReadonlyMap<string, string> | undefined;
    Object.defineProperty(prototype, movedKey, {
      value: new Map([...(inherited ?? []), [name, to]]),
      configurable: true,
    });
  };
}

/** What to set instead of an option that the class has no more; `undefined` for one that it never had. */
export function movedOption(options: OptionsClass, name: string): string | undefined {
  const moved = (options.prototype as Marked | undefined)?.[movedKey];
  return moved instanceof Map ? (moved.get(name) as string | undefined) : undefined;
}

/** Whether `property` of the class is marked `@Secret()`. */
export function isSecretOption(options: OptionsClass, property: string): boolean {
  return isMarked(options, secretKey, property);
}

/** Whether `property` of the class is marked `@KeptOnRollback()`. */
export function isKeptOnRollback(options: OptionsClass, property: string): boolean {
  return isMarked(options, keptKey, property);
}

/** Whether `property` of the class is marked `@NeedsRestart()`. */
export function needsRestart(options: OptionsClass, property: string): boolean {
  return isMarked(options, restartKey, property);
}

/**
 * The default of this option in the environments `development` and `test`; that of the class holds in all others. For
 * classes that state their section by `@ConfigPrefix`.
 */
export function LocalDefault(value: string | number | boolean): PropertyDecorator {
  return (prototype, property) => note(prototype, localKey, property, value);
}

/** Other words for values of this option; `undefined` as a value is the default of the environment. */
export function Spellings(words: Readonly<Record<string, string | undefined>>): PropertyDecorator {
  return (prototype, property) => note(prototype, spellingsKey, property, words);
}

/** What `@LocalDefault()` says, by property. */
export function localDefaultsOf(options: OptionsClass): ReadonlyMap<string, unknown> {
  return notesOf(options.prototype as Marked, localKey);
}

/** What `@Spellings()` says, by property. */
export function spellingsOf(options: OptionsClass): ReadonlyMap<string, Readonly<Record<string, string | undefined>>> {
  return notesOf(options.prototype as Marked, spellingsKey) as ReadonlyMap<string, Record<string, string | undefined>>;
}

function prefixes(): Set<string> {
  const root = globalThis as unknown as Marked;
  root[prefixesKey] ??= new Set<string>();
  return root[prefixesKey] as Set<string>;
}

// A subclass marks its own set, which begins with what it inherits.
function mark(prototype: object, key: symbol, property: string | symbol): void {
  const inherited = (prototype as Marked)[key] as ReadonlySet<string> | undefined;
  Object.defineProperty(prototype, key, {
    value: new Set([...(inherited ?? []), String(property)]),
    configurable: true,
  });
}

function isMarked(options: OptionsClass, key: symbol, property: string): boolean {
  const marked = (options.prototype as Marked | undefined)?.[key];
  return marked instanceof Set && marked.has(property);
}

// As for marks: a subclass begins with what it inherits.
function note(prototype: object, key: symbol, property: string | symbol, value: unknown): void {
  const inherited = notesOf(prototype as Marked, key);
  Object.defineProperty(prototype, key, {
    value: new Map([...inherited, [String(property), value]]),
    configurable: true,
  });
}

function notesOf(prototype: Marked, key: symbol): ReadonlyMap<string, unknown> {
  const notes = prototype[key];
  return notes instanceof Map ? (notes as ReadonlyMap<string, unknown>) : new Map<string, unknown>();
}
