import type { RaceCase, RaceResult } from './results.js';

const WIDTH = 360;
const HEIGHT = 200;
const MARGIN = { left: 44, right: 12, top: 30, bottom: 34 };
const COLUMNS = 4;

/** Both fronts of every race over time, as one SVG: what was shipped from above, what was seen to be replayed from below. */
export function racePlot({ cases }: Pick<RaceResult, 'cases'>): string {
  const rows = Math.max(1, Math.ceil(cases.length / COLUMNS));
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT];
  const panels = cases.map((one, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, Math.floor(i / COLUMNS) * HEIGHT];
    return `<g transform="translate(${String(x)},${String(y)})">${panel(one)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" font-family="sans-serif" font-size="10">`,
    `<rect width="${String(width)}" height="${String(height)}" fill="white"/>`,
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function panel(one: RaceCase): string {
  const { left, top } = MARGIN;
  const [innerWidth, innerHeight] = [WIDTH - left - MARGIN.right, HEIGHT - top - MARGIN.bottom];
  if (one.fronts.length === 0) return emptyPanel(one);
  const endMs = Math.max(1, one.fronts.at(-1)?.ms ?? 1);
  const at = (ms: number, share: number): string =>
    `${(left + (innerWidth * ms) / endMs).toFixed(1)},${(top + innerHeight * (1 - share)).toFixed(1)}`;
  const curve = (colour: string, share: (sample: RaceCase['fronts'][number]) => number): string =>
    `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${one.fronts
      .map((sample) => at(sample.ms, share(sample)))
      .join(' ')}"/>`;
  const part = (count: number, blocks: number) => (blocks === 0 ? 0 : count / blocks);
  const [bottom, right] = [top + innerHeight, left + innerWidth];
  return [
    ...title(one),
    `<path d="M${String(left)},${String(top)}V${String(bottom)}H${String(right)}" fill="none" stroke="#888"/>`,
    text(left - 6, top + 8, '100 %', 'text-anchor="end"'),
    text(left - 6, bottom, '0', 'text-anchor="end"'),
    text(right, bottom + 12, `${(endMs / 1000).toFixed(1)} s`, 'text-anchor="end"'),
    text(left, bottom + 12, 'blocks of the residue:', 'fill="#555"'),
    text(left, bottom + 24, 'not shipped ahead', 'fill="#b03030"'),
    text(left + 110, bottom + 24, 'replayed', 'fill="#2060a0"'),
    curve('#b03030', ({ shipped, blocks }) => 1 - part(shipped, blocks)),
    curve('#2060a0', ({ replayed, blocks }) => part(replayed, blocks)),
  ].join('');
}

/** Where nothing was replayed there are no fronts. */
function emptyPanel(one: RaceCase): string {
  const [x, y] = [WIDTH / 2, HEIGHT / 2];
  const why = one.strategy === 'ship' ? 'no race: the plan shipped' : 'no race was recorded';
  return [...title(one), text(x, y, why, 'text-anchor="middle" fill="#555"')].join('');
}

function title(one: RaceCase): string[] {
  const { left } = MARGIN;
  const what = `${one.session}, ${one.link}, ${one.replay} replay: ${one.seconds.toFixed(1)} s`;
  const best = `best alone ${(one.seconds / one.timeRatioToBest).toFixed(1)} s`;
  return [text(left, 14, what, 'font-weight="bold"'), text(left, 25, best, 'fill="#555"')];
}

function text(x: number, y: number, what: string, rest = ''): string {
  return `<text x="${String(x)}" y="${String(y)}" ${rest}>${what}</text>`;
}
