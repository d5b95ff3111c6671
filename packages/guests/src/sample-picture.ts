import { crc32, deflateSync } from 'node:zlib';

/**
 * A picture of a coast, computed: sky, hills, water with waves, a sun. `variant` gives each its own hour and hills.
 *
 * @returns a PNG of eight bits a channel
 */
export function samplePicture(width: number, height: number, variant: number): Uint8Array {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      rows.set(colourAt(x / width, y / height, variant), y * (1 + width * 3) + 1 + x * 3);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits, red green blue, and the only compression, filter and order there is.
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

type Colour = readonly [red: number, green: number, blue: number];

/** Places in parts of the width and height. */
function colourAt(x: number, y: number, variant: number): Colour {
  const hills = 0.55 - 0.1 * Math.abs(Math.sin(x * (3 + variant) + variant));
  if (y > 0.6) {
    const wave = 18 * Math.sin(70 * y * y + 9 * x + variant * Math.sin(40 * x * y));
    return shade([40, 92, 130], wave + 30 * (1 - y));
  }
  if (y > hills) return shade([70, 96, 66], 60 * (y - hills) * 4 - 10 * Math.sin(60 * x + 80 * y));
  const sun = Math.hypot(x - 0.15 * variant, (y - 0.22) * 0.45);
  if (sun < 0.035) return [250, 226, 140];
  return shade([150, 178, 206], 70 * y + 8 / (sun + 0.1) - 6 * variant);
}

function shade(colour: Colour, by: number): Colour {
  const [red, green, blue] = colour;
  const clamp = (value: number): number => Math.max(0, Math.min(255, Math.round(value + by)));
  return [clamp(red), clamp(green), clamp(blue)];
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
