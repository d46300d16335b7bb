// The ratios as bars on a logarithmic scale, with a mark where the target is. Plain SVG, no script, no font of its own.
import { loads } from './loads.mjs';
import { programs } from './servers.mjs';

const LABEL_WIDTH = 500;
const BAR_WIDTH = 400;
const ROW_HEIGHT = 26;
const TOP = 56;
const RIGHT = 90;
const LOWEST = 0.02;

/** @param {import('./report.mjs').Result[]} results */
export function chartOf(results) {
  const measured = results.flatMap(({ name, load, peer, target, comparison }) =>
    comparison && name !== 'control'
      ? [{ label: `${loads[load]?.title}: ${programs[peer]?.title}`, target, ratio: comparison.ratio }]
      : [],
  );
  const highest = Math.max(2, ...measured.map(({ ratio }) => ratio * 1.2));
  const x = (/** @type {number} */ ratio) => {
    const share = Math.log(Math.max(ratio, LOWEST) / LOWEST) / Math.log(highest / LOWEST);
    return LABEL_WIDTH + share * BAR_WIDTH;
  };
  const height = TOP + measured.length * ROW_HEIGHT + 16;
  const width = LABEL_WIDTH + BAR_WIDTH + RIGHT;
  const ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20].filter((tick) => tick <= highest);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="20" font-size="14" font-weight="bold">CPU time per request: Rookery as a multiple of the peer (less is better; black mark: target, grey: without one)</text>`,
    ...ticks.map(
      (tick) =>
        `<line x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${TOP - 6}" y2="${height - 12}" stroke="${tick === 1 ? '#555555' : '#dddddd'}"/>` +
        `<text x="${at(x(tick))}" y="${TOP - 12}" text-anchor="middle" fill="#555555">${tick}</text>`,
    ),
    ...measured.map(({ label, target, ratio }, index) => {
      const y = TOP + index * ROW_HEIGHT;
      const color = target === undefined ? '#8a8f98' : ratio <= target ? '#2e7d4f' : '#b3402e';
      const mark =
        target === undefined
          ? ''
          : `<line x1="${at(x(target))}" x2="${at(x(target))}" y1="${y}" y2="${y + 20}" stroke="#000000" stroke-width="2"/>`;
      return (
        `<text x="${LABEL_WIDTH - 8}" y="${y + 14}" text-anchor="end">${escaped(label)}</text>` +
        `<rect x="${LABEL_WIDTH}" y="${y + 3}" width="${at(x(ratio) - LABEL_WIDTH)}" height="14" fill="${color}"/>${mark}` +
        `<text x="${at(x(Math.max(ratio, target ?? 0)) + 6)}" y="${y + 14}">${ratio.toFixed(2)}</text>`
      );
    }),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/** @param {number} value */
function at(value) {
  return value.toFixed(1);
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
