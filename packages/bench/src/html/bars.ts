import { methodTitles, type MethodBytes, type Methods } from '../bytes/method-bytes.js';

import { label, readableBytes, rectangle, svg } from './svg.js';

const WIDTH = 860;
const TITLES = 180;
const NUMBERS = 80;
const ROW = 22;
const BAR = 15;
const AXIS = 18;

export const classColours = {
  ram: '#3b6ea5',
  disk: '#7aa6c2',
  device: '#c2b280',
  log: '#c0504d',
  digests: '#e08e45',
  control: '#9a9a9a',
} as const;
type ByteClass = keyof typeof classColours;

const OURS = new Set<keyof Methods>(['ship', 'replay', 'recordedReplay', 'virtual']);
const LIMITS = new Set<keyof Methods>(['oracle', 'fullOracle']);

function colourOf(key: keyof Methods): string {
  if (OURS.has(key)) return '#2f7d4f';
  return LIMITS.has(key) ? '#8a8a8a' : '#3b6ea5';
}

function measured(methods: Methods): (keyof Methods)[] {
  const keys = Object.keys(methodTitles) as (keyof Methods)[];
  return keys.filter((key) => methods[key] !== null);
}

/** Every method's total on one logarithmic axis. */
export function totalBars(methods: Methods): string {
  const keys = measured(methods);
  const totals = keys.map((key) => methods[key]?.total ?? 0);
  const low = 10 ** Math.floor(Math.log10(Math.max(1, Math.min(...totals))));
  const high = 10 ** Math.ceil(Math.log10(Math.max(10, ...totals)));
  const inner = WIDTH - TITLES - NUMBERS;
  const at = (bytes: number) =>
    TITLES + (inner * Math.log10(Math.max(bytes, low) / low)) / Math.log10(high / low);
  const height = keys.length * ROW + AXIS;
  const decades = Math.round(Math.log10(high / low));
  const grid = Array.from({ length: decades + 1 }, (_, i) => {
    const bytes = low * 10 ** i;
    const x = at(bytes).toFixed(1);
    return `<path d="M${x},0V${String(height - AXIS)}" stroke="#ddd"/>${label(at(bytes), height - 4, readableBytes(bytes), 'text-anchor="middle" fill="#555"')}`;
  });
  const bars = keys.map((key, i) => {
    const total = totals[i] ?? 0;
    const y = i * ROW + (ROW - BAR) / 2;
    return [
      label(TITLES - 8, y + BAR - 3, methodTitles[key], 'text-anchor="end"'),
      rectangle(
        { x: TITLES, y, width: Math.max(2, at(total) - TITLES), height: BAR },
        colourOf(key),
        `${methodTitles[key]}: ${String(total)} bytes`,
      ),
      label(at(total) + 5, y + BAR - 3, readableBytes(total)),
    ].join('');
  });
  return svg(WIDTH, height, 'bytes by method, logarithmic', [...grid, ...bars]);
}

/** What reprise sends by class, linear, beside what else is of its size. */
export function classBars(methods: Methods): string {
  const ship = methods.ship?.total ?? methods.replay?.total ?? 0;
  const keys = measured(methods).filter((key) => (methods[key]?.total ?? 0) <= ship * 3);
  const longest = Math.max(1, ...keys.map((key) => methods[key]?.total ?? 0));
  const scale = (WIDTH - TITLES - NUMBERS) / longest;
  const rows = keys.map((key, i) => {
    const y = i * ROW + (ROW - BAR) / 2;
    const method = methods[key];
    const total = method?.total ?? 0;
    const parts = [label(TITLES - 8, y + BAR - 3, methodTitles[key], 'text-anchor="end"')];
    if (method !== null && 'ram' in method) parts.push(stack(method, y, scale));
    else {
      const box = { x: TITLES, y, width: total * scale, height: BAR };
      parts.push(rectangle(box, '#c9c9c9', `${String(total)} bytes`));
    }
    parts.push(label(TITLES + total * scale + 5, y + BAR - 3, readableBytes(total)));
    return parts.join('');
  });
  return svg(WIDTH, keys.length * ROW, 'bytes by class, linear', rows);
}

function stack(method: MethodBytes, y: number, scale: number): string {
  let x = TITLES;
  return (Object.keys(classColours) as ByteClass[])
    .map((name) => {
      const box = { x, y, width: method[name] * scale, height: BAR };
      x += box.width;
      return rectangle(box, classColours[name], `${name}: ${String(method[name])} bytes`);
    })
    .join('');
}
