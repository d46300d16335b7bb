// What the generated pages take from the build: the modules, and the docstrings and types that the compiler leaves in `*.d.ts`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** @typedef {{ text: string, type: string }} Member docstring and type of a property */

/**
 * @param {string} folder
 * @param {RegExp} pattern
 * @returns {string[]} paths of the files below `folder` whose names match, without `.d.ts`, in a fixed order
 */
export function declarationsBelow(folder, pattern) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.d.ts') && pattern.test(path))
    .map((path) => join(folder, path.slice(0, -'.d.ts'.length)))
    .toSorted();
}

/**
 * @param {string} path without extension
 * @returns {Promise<Record<string, unknown>>} the exports of the module
 */
export function load(path) {
  return import(pathToFileURL(`${path}.js`).href);
}

/** @param {string} path without extension */
export function declarationsOf(path) {
  return readFileSync(`${path}.d.ts`, 'utf8');
}

/**
 * @param {string} declarations
 * @returns {{ name: string, base: string | undefined, text: string, body: string }[]} the classes, with their docstrings
 */
export function classesIn(declarations) {
  const pattern =
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?export declare (?:abstract )?class (\w+)(?:<[^{]*>)?(?: extends ([\w.]+))?[^{]*\{/g;
  return [...declarations.matchAll(pattern)].map((match) => {
    const start = match.index + match[0].length;
    const end = declarations.indexOf('\n}', start);
    return { name: match[2] ?? '', base: match[3], text: prose(match[1] ?? ''), body: declarations.slice(start, end) };
  });
}

/**
 * @param {string} body of a class
 * @returns {Map<string, Member>} the documented properties, in the order they are written
 */
export function membersOf(body) {
  const pattern = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?^ {4}(?:readonly )?(\w+)[?!]?: ([^;{}]+(?:\{[^}]*\})?[^;]*);/gm;
  return new Map(
    [...body.matchAll(pattern)].map((match) => [
      match[2] ?? '',
      { text: prose(match[1] ?? ''), type: (match[3] ?? '').replace(/\s+/g, ' ') },
    ]),
  );
}

/**
 * @param {string} docstring
 * @returns {string} its sentences on one line, without tags and their texts
 */
function prose(docstring) {
  const lines = docstring
    .replace(/^\s*\/\*\*|\*\/\s*$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim());
  const tag = lines.findIndex((line) => line.startsWith('@'));
  return (tag < 0 ? lines : lines.slice(0, tag)).join(' ').replace(/\s+/g, ' ').trim();
}

/**
 * @param {string} text
 * @returns {string} fit for a cell of a table
 */
export function cell(text) {
  return text.replace(/\|/g, '\\|').replace(/\n/g, ' ');
}

/** @param {string[]} head @param {string[][]} rows */
export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
}
