/** Text that stands in HTML and SVG as it is. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** With three digits, and the unit that makes it readable. */
export function readableBytes(bytes: number): string {
  if (bytes < 1000) return `${String(Math.round(bytes))} B`;
  if (bytes < 1e6) return `${threeDigits(bytes / 1e3)} KB`;
  if (bytes < 1e9) return `${threeDigits(bytes / 1e6)} MB`;
  return `${threeDigits(bytes / 1e9)} GB`;
}

export function readableSeconds(seconds: number): string {
  if (seconds < 0.1) return `${String(Math.round(seconds * 1000))} ms`;
  if (seconds < 120) return `${threeDigits(seconds)} s`;
  if (seconds < 7200) return `${threeDigits(seconds / 60)} min`;
  return `${threeDigits(seconds / 3600)} h`;
}

function threeDigits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function rectangle(box: Box, colour: string, title = ''): string {
  const { x, y, width, height } = box;
  const tip = title === '' ? '' : `<title>${escaped(title)}</title>`;
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(0, width).toFixed(1)}" height="${height.toFixed(1)}"`;
  return `<rect ${place} fill="${colour}">${tip}</rect>`;
}

export function label(x: number, y: number, text: string, rest = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${rest}>${escaped(text)}</text>`;
}

export function svg(width: number, height: number, what: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${String(width)} ${String(height)}" width="${String(width)}" role="img" aria-label="${escaped(what)}">\n${parts.join('\n')}\n</svg>`;
}
