// `npm run bench`: builds the peers, runs the pairs, writes RESULTS.md. `--only grpc` takes the cases whose names begin so,
// `--quick` gives a rough ratio in seconds; neither writes anything.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { cases } from './cases.mjs';
import { compare } from './measure.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    'server-core': { type: 'string', default: '0' },
    'load-core': { type: 'string', default: '1' },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 7));
const plan = {
  rounds,
  seconds: values.quick ? 1 : 2,
  warmUpShare: values.quick ? 0.5 : 1,
  serverCore: values['server-core'],
  loadCore: values['load-core'],
};
await build();
const chosen = cases.filter(({ name }) => values.only.length === 0 || values.only.some((one) => name.startsWith(one)));
for (const { name, load, subject, peer, target } of chosen) {
  const { ratio, ratios, costs } = await compare(load, [subject, peer], plan);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  const verdict = target === undefined ? '' : `, target ${target}: ${ratio <= target ? 'met' : 'MISSED'}`;
  console.log(
    `${name}: ratio ${ratio.toFixed(3)} (${range}), ${costs.map((cost) => cost.toFixed(2)).join(' µs against ')} µs${verdict}`,
  );
}
