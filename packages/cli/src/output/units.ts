const steps = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `1.5 MB`: decimal units, as links and disks are sold. */
export function bytes(count: number): string {
  let value = count;
  let step = 0;
  while (Math.abs(value) >= 1000 && step < steps.length - 1) {
    value /= 1000;
    step++;
  }
  return `${step === 0 ? String(value) : value.toFixed(value < 10 ? 2 : 1)} ${steps[step] ?? ''}`;
}

/** `4.2 s`, `3 min 05 s`. */
export function seconds(count: number): string {
  if (count < 60) return `${count.toFixed(1)} s`;
  const minutes = Math.floor(count / 60);
  return `${String(minutes)} min ${String(Math.round(count % 60)).padStart(2, '0')} s`;
}

/** The first digits of a digest: enough for a person to tell two apart. */
export function short(digest: string): string {
  return digest.slice(0, 12);
}
