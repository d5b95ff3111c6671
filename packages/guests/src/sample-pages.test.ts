import { expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { samplePages } from './sample-pages.js';
import { samplePicture } from './sample-picture.js';

function digests(): (string | undefined)[][] {
  return [...samplePages()].map(([name, content]) => [
    name,
    createHash('sha256').update(content).digest('hex'),
  ]);
}

test('the pages are the same every time', () => {
  expect(digests()).toEqual(digests());
});

test('every link, picture and style of a page is a file beside it', () => {
  const files = samplePages();
  const wanted = [...files.values()]
    .filter((content) => typeof content === 'string')
    .flatMap((text) => [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1]));
  expect(wanted.length).toBeGreaterThan(15);
  expect(wanted.filter((name) => !files.has(name ?? ''))).toEqual([]);
});

test('a picture is a PNG with as many pixels as it says', () => {
  const png = Buffer.from(samplePicture(48, 20, 3));
  expect(png.subarray(1, 4).toString('latin1')).toBe('PNG');
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([48, 20]);
  const length = png.readUInt32BE(33);
  expect(inflateSync(png.subarray(41, 41 + length))).toHaveLength(20 * (1 + 48 * 3));
});
