// docs/errors.md: every error a caller can get, from the classes themselves.
import { relative } from 'node:path';
import { classesIn, declarationsBelow, declarationsOf, load, table } from './docs-declarations.mjs';

/**
 * @typedef {object} ErrorRow
 * @property {string} reason
 * @property {string} className
 * @property {string} file of the declaration, relative to the build
 * @property {number} status
 * @property {number} httpStatus
 * @property {string} text
 */

const HEAD = ['reason', 'gRPC', 'HTTP', 'meaning', 'what to do'];

// Where the docstring stops at the meaning, and the status alone says what a client can do. Other statuses have causes that
// want different things of the client, such as RESOURCE_EXHAUSTED: to send less, or the same later.
/** @type {Record<string, string>} */
const ADVICE = {
  CANCELLED: 'Nothing: the caller gave up.',
  INVALID_ARGUMENT: 'Correct the request; sending it again as it is will fail again.',
  NOT_FOUND: 'Check the name or path.',
  PERMISSION_DENIED: 'Ask for the right to do this; another token of the same kind will not help.',
  OUT_OF_RANGE: 'Ask within the bounds.',
  UNAVAILABLE: 'Try again later, with growing intervals.',
};

/**
 * @param {string} build folder of the compiled code
 * @returns {Promise<ErrorRow[]>} sorted by reason
 */
async function collect(build) {
  const files = declarationsBelow(build, /./);
  const declared = files.map((path) => ({ path, classes: classesIn(declarationsOf(path)) }));
  const family = new Set(['RookeryError']);
  for (let before = 0; before !== family.size; ) {
    before = family.size;
    for (const { name, base } of declared.flatMap(({ classes }) => classes))
      if (base && family.has(base)) family.add(name);
  }
  const rows = [];
  for (const { path, classes } of declared) {
    const errors = classes.filter(({ name }) => name !== 'RookeryError' && family.has(name));
    if (errors.length === 0) continue;
    const module = await load(path);
    rows.push(...errors.flatMap((error) => rowOf(error, module[error.name], relative(build, path))));
  }
  return rows.toSorted((a, b) =>
    a.reason < b.reason ? -1 : a.reason > b.reason ? 1 : a.className < b.className ? -1 : 1,
  );
}

/**
 * @param {{ name: string, text: string }} declaration
 * @param {unknown} exported
 * @param {string} file
 * @returns {ErrorRow[]} nothing for a class that only gathers others and has no reason of its own
 */
function rowOf({ name, text }, exported, file) {
  const error = /** @type {{ reason: string, status: number, httpStatus: number | undefined }} */ (exported);
  if (typeof exported !== 'function' || !Object.hasOwn(exported, 'reason')) return [];
  return [
    { reason: error.reason, className: name, file, status: error.status, httpStatus: error.httpStatus ?? 0, text },
  ];
}

/**
 * @param {string} text
 * @returns {[string, string?]} its first sentence, and the others
 */
function meaningAndAdvice(text) {
  const end = /[.!?](?= [A-Z`@])/.exec(text);
  return end === null ? [text] : [text.slice(0, end.index + 1), text.slice(end.index + 2)];
}

/**
 * @param {string} build
 * @returns {Promise<{ page: string, problems: string[] }>}
 */
export async function errorsPage(build) {
  const rows = await collect(build);
  const { httpStatusOf, statusName } = /** @type {typeof import('../src/framework/core/index.js')} */ (
    /** @type {unknown} */ (await load(`${build}/framework/core/index`))
  );
  const problems = problemsOf(rows);
  /** @param {string} folder */
  const tableOf = (folder) =>
    table(
      HEAD,
      rows
        .filter(({ file }) => file.startsWith(folder))
        .map((row) => {
          const status = statusName(row.status);
          const [meaning, advice = ADVICE[status]] = meaningAndAdvice(row.text);
          if (advice === undefined)
            problems.push(`${row.className} (${row.file}) says what is wrong, and not what to do`);
          const httpStatus = row.httpStatus || httpStatusOf(row.status);
          return [`\`${row.reason}\``, status, String(httpStatus), meaning, advice ?? ''];
        }),
    );
  return { page: pageOf(tableOf('framework'), tableOf('service')), problems };
}

/** @param {ErrorRow[]} rows */
function problemsOf(rows) {
  const problems = [];
  for (const [index, row] of rows.entries()) {
    const next = rows[index + 1];
    if (next?.reason === row.reason) {
      problems.push(
        `${row.className} (${row.file}) and ${next.className} (${next.file}) share the reason ${row.reason}`,
      );
    }
    if (!/^[A-Z][A-Z0-9_]*$/.test(row.reason))
      problems.push(`${row.className} (${row.file}): reason ${row.reason} (expected: UPPER_SNAKE_CASE)`);
    if (row.text === '') problems.push(`${row.className} (${row.file}) has no docstring: its meaning is missing`);
  }
  return problems;
}

/** @param {string} framework @param {string} service */
function pageOf(framework, service) {
  return `<!-- Generated from the error classes by scripts/generate-docs.mjs. Do not edit. -->

# Errors

Every declared failure has a stable \`reason\`. On HTTP it stands in the envelope (\`code\` is the HTTP status), on gRPC in
\`google.rpc.ErrorInfo\` of \`grpc-status-details-bin\`. \`reason\` is for programs and never changes its meaning; the message
is for people and may. Exceptions of Nest and refusals of Fastify keep their status and have its name for a reason,
such as \`NOT_FOUND\`. Their message is told unless the status is \`INTERNAL\`; of an object given to \`HttpException\` nothing but
\`message\` is. What validation refuses is no \`HttpException\`: a filter that is to see it says \`@Catch(RookeryError)\`.
Whatever is not declared is \`INTERNAL\` with a request id and nothing of its text.

## Framework

${framework}

## Reference service

${service}
`;
}
