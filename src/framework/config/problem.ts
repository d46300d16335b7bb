import type { ValidationError } from 'class-validator';
import { isSecretOption, type OptionsClass } from '../core/index.js';
import type { ConfigProblem } from './config.errors.js';
import { didYouMean } from './did-you-mean.js';
import { joinPath, type Origin, originOf } from './layer.js';
import { type BrokenRule, wrongItems } from './wrong-items.js';

type Origins = ReadonlyMap<string, Origin>;

// What carries a name like this is masked although its class forgot to mark it.
const secretName =
  /secret|password|passwd|passphrase|credential|pwd$|(?:^|user|db|auth)pass$|(?<!max)tokens?$|authorization$|apikey|(?:access|private|signing|encryption)keys?$/;
const longestShown = 64;
// Of one list: a list whose items are of another kind is one mistake.
const mostItems = 10;
// Where the text is longer, what is looked for in vain is looked for this far.
const longestMasked = 1024;
// The password in a URL may have signs in it that belong encoded; a port is none.
const inUrl = /(:\/\/[^/:@\s]*:)(?!\d{1,5}[/?#])\S*@/g;
// Of a query, of JDBC, of a connection string.
const inPairs = /((?:^|[?&;,\s])[\w.-]*(?:password|passwd|pwd|secret|token|api[-_]?key|access[-_]?key)=)[^&;\s]+/gi;
const inHeader = /^((?:bearer|basic) )\S+$/i;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
// Shorter ones are in limits and words by chance.
const shortestQuoted = 6;

/** Whether the value of `property` must not be printed: it is marked, or its name says what it is. */
export function isSecretProperty(options: OptionsClass | undefined, property: string): boolean {
  const plain = property.replace(/[-_.]/g, '').toLowerCase();
  return secretName.test(plain) || (options !== undefined && isSecretOption(options, property));
}

/** `server.prot: unknown key (did you mean "port"?; from ROOKERY_SERVER__PROT)` */
export function unknownKey(at: string, key: string, known: Iterable<string>, origins: Origins): ConfigProblem {
  const path = joinPath(at, key);
  const names = [...known];
  const near = didYouMean(key, names);
  const hint = near === undefined ? `known: ${names.toSorted().join(', ')}` : `did you mean "${near}"?`;
  return problem(path, 'unknown key', hint, origins);
}

/** `http.trustProxy: no longer a setting (set server.trustProxy; from ROOKERY_HTTP__TRUST_PROXY)` */
export function movedKey(path: string, to: string, origins: Origins): ConfigProblem {
  return problem(path, 'no longer a setting', `set ${to}`, origins);
}

/** Brings class-validator's tree of errors into a list, one problem per value. */
export function problemsOf(errors: readonly ValidationError[], at: string, origins: Origins): ConfigProblem[] {
  return errors.flatMap((error) => {
    const path = /^\d+$/.test(error.property) ? `${at}[${error.property}]` : joinPath(at, error.property);
    const own = error.constraints === undefined ? [] : ruleProblems(error, path, origins);
    return [...own, ...problemsOf(error.children ?? [], path, origins)];
  });
}

function ruleProblems(error: ValidationError, path: string, origins: Origins): ConfigProblem[] {
  const { property } = error;
  const value: unknown = error.value;
  const { items, rest } = wrongItems(error);
  const options = error.target?.constructor as OptionsClass | undefined;
  const isSecret = isSecretProperty(options, property) || originOf(origins, path)?.isSecret === true;
  const problems = items
    .slice(0, mostItems)
    .map(({ index, ...item }) => ruleProblem({ path: `${path}[${index}]`, property, isSecret, ...item }, origins));
  if (items.length > mostItems) {
    const more = `${items.length - mostItems} more wrong items`;
    problems.push(problem(path, more, `the first: ${path}[${items[0]?.index}]`, origins));
  }
  return rest.length === 0
    ? problems
    : [...problems, ruleProblem({ path, property, isSecret, value, rules: rest }, origins)];
}

interface Broken {
  readonly path: string;
  readonly property: string;
  readonly isSecret: boolean;
  readonly value: unknown;
  readonly rules: readonly BrokenRule[];
}

function ruleProblem({ path, property, isSecret, value, rules }: Broken, origins: Origins): ConfigProblem {
  // Where the type is wrong already, ranges and lengths only repeat it.
  const typeRules = rules.filter(([rule]) => /^is[A-Z]/.test(rule) && rule !== 'isDefined');
  const chosen = typeRules.length > 0 ? typeRules : rules;
  let expectation = chosen.map(([rule, message]) => expectationOf(rule, message, property)).join(', ');
  const isRemote = originOf(origins, path)?.isRemote === true;
  const masked = unquoted(expectation, value, shortestQuoted);
  // A rule of one's own may quote the value.
  if (isSecret) expectation = unquoted(expectation, value, 1);
  const hidden = isSecret && isPresent(value) ? '***' : kindOf(value);
  const quiet = problem(path, hidden, `expected: ${isSecret ? expectation : masked}`, origins);
  if (isSecret || isRemote) return quiet;
  return { ...problem(path, shown(value), `expected: ${expectation}`, origins), masked: quiet.message };
}

function unquoted(text: string, value: unknown, shortest: number): string {
  return isScalar(value) && String(value).length >= shortest ? text.replaceAll(String(value), '***') : text;
}

// What came from a centre may be a password in the wrong line: its place is told, and no value.
function kindOf(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty text' : 'a text';
  return isScalar(value) ? `a ${typeof value}` : shown(value);
}

// "port must be an integer number" tells what was expected after its verb.
function expectationOf(rule: string, message: string, property: string): string {
  if (rule === 'unknownValue') return 'a class with rules (is @Type() missing on the property?)';
  if (rule === 'nestedValidation') return 'a mapping';
  const text = message.startsWith(`${property} `)
    ? message.slice(property.length + 1)
    : message.replace(` in ${property}`, '');
  return text
    .replace(/\bmust be (?:an? )?(.*)$/, '$1')
    .replace(/\b(?:must|should) not be (.*)$/, 'not $1')
    .replace(/\b(?:must|should) (.*)$/, '$1')
    .replace('one of the following values: ', 'one of ');
}

/** A value as a message may have it: short, and without the passwords that texts of known kinds have in them. */
export function shown(value: unknown): string {
  if (!isPresent(value)) return 'missing';
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'a list';
  if (!isScalar(value)) return isEmptyMapping(value) ? '{}' : 'a mapping';
  if (typeof value !== 'string') return String(value);
  const text = withoutPasswords(value.slice(0, longestMasked));
  return JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown)}…` : text);
}

function withoutPasswords(text: string): string {
  if (privateKey.test(text)) return '***';
  return text.replace(inUrl, '$1***@').replace(inPairs, '$1***').replace(inHeader, '$1***');
}

/** Whether a text has a password in it that stays out of messages. */
export function holdsPassword(value: unknown): boolean {
  return typeof value === 'string' && withoutPasswords(value) !== value;
}

function isEmptyMapping(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Object]' && Object.keys(value as object).length === 0;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function problem(path: string, what: string, hint: string, origins: Origins): ConfigProblem {
  const source = originOf(origins, path)?.source;
  const from = source === undefined ? '' : `; from ${source}`;
  return { path, message: `${path}: ${what} (${hint}${from})`, source };
}
