import type { SessionBytes } from '../bytes/session-bytes.js';

import { label, readableSeconds, svg } from './svg.js';

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [860, 190, 60, 24, 10];
export const frontColours = { shipped: '#c0392b', replayed: '#2f7d4f' } as const;

/** Both fronts of one race: what is not shipped ahead yet comes down, what is seen to be replayed goes up. */
export function frontsPlot(race: SessionBytes['race']): string {
  const endMs = Math.max(1, race.at(-1)?.ms ?? 1);
  const inner = { width: WIDTH - LEFT - 10, height: HEIGHT - TOP - BOTTOM };
  const place = (ms: number, share: number) =>
    `${(LEFT + (inner.width * ms) / endMs).toFixed(1)},${(TOP + inner.height * (1 - share)).toFixed(1)}`;
  const part = (count: number, blocks: number) => (blocks === 0 ? 0 : count / blocks);
  const curve = (colour: string, share: (sample: SessionBytes['race'][number]) => number) =>
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${race
      .map((sample) => place(sample.ms, share(sample)))
      .join(' ')}"/>`;
  const axis = HEIGHT - BOTTOM;
  return svg(WIDTH, HEIGHT, 'both fronts over time', [
    `<path d="M${String(LEFT)},${String(TOP)}V${String(axis)}H${String(WIDTH - 10)}" fill="none" stroke="#888"/>`,
    label(LEFT - 6, TOP + 8, '100 %', 'text-anchor="end" fill="#555"'),
    label(LEFT - 6, axis, '0', 'text-anchor="end" fill="#555"'),
    label(WIDTH - 10, HEIGHT - 6, readableSeconds(endMs / 1000), 'text-anchor="end" fill="#555"'),
    curve(frontColours.shipped, ({ shipped, blocks }) => 1 - part(shipped, blocks)),
    curve(frontColours.replayed, ({ replayed, blocks }) => part(replayed, blocks)),
  ]);
}
