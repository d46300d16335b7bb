// Writes docs/errors.md, docs/metrics.md and docs/options.md from the built code. `--check` writes nothing and ends with 1
// when a page differs from what the code says, when two errors share a reason, or when something has no docstring.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorsPage } from './docs-errors.mjs';
import { metricsPage } from './docs-metrics.mjs';
import { optionsPage } from './docs-options.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = join(root, 'dist');
const isCheck = process.argv.includes('--check');

if (!existsSync(join(build, 'framework'))) {
  process.stderr.write('dist/framework is missing (expected: a build, by `npm run build`)\n');
  process.exit(1);
}

const pages = {
  'docs/errors.md': await errorsPage(build),
  'docs/metrics.md': await metricsPage(build),
  'docs/options.md': await optionsPage(build),
};
const problems = Object.values(pages).flatMap((page) => page.problems);
for (const [path, { page }] of Object.entries(pages)) {
  const file = join(root, path);
  const present = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (present === page) continue;
  if (isCheck)
    problems.push(`${path} is not what the code says (expected: the output of \`node scripts/generate-docs.mjs\`)`);
  else writeFileSync(file, page);
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
// A driver may keep a handle open that importing it made.
process.exit(problems.length > 0 ? 1 : 0);
