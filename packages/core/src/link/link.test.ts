import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { linkConformance, type LinkPair } from './conformance.js';
import {
  connectUnix,
  limitRate,
  listenUnix,
  parseAddress,
  parseRate,
  startProcessLink,
} from './index.js';
import type { Link } from './index.js';

async function unixPair(): Promise<LinkPair> {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-link-'));
  const path = join(directory, 'socket');
  let accept: (link: Link) => void = () => undefined;
  const accepted = new Promise<Link>((resolve) => (accept = resolve));
  const server = await listenUnix(path, accept);
  const near = await connectUnix(path);
  const far = await accepted;
  const close = async () => {
    await near.close();
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  };
  return { near: { ...near, close }, far };
}

linkConformance('a unix socket', unixPair);

linkConformance('a rate-limited unix socket', async () => {
  const { near, far } = await unixPair();
  return { near: limitRate(near, 100e6), far };
});

describe('a link over a process', () => {
  test('carries bytes through the standard input and output of a program', async () => {
    await using link = await startProcessLink('cat', [], { peer: 'cat' });
    link.stream.write('through a pipe');
    for await (const chunk of link.stream) {
      expect(String(chunk)).toBe('through a pipe');
      break;
    }
  });

  test('keeps what the program said before it ended', async () => {
    await using link = await startProcessLink('sh', ['-c', 'echo no such host >&2; exit 255'], {
      peer: 'sh',
    });
    await link.close();
    expect(link.lastWords()).toBe('no such host');
  });
});

describe('a unix socket that waits for a peer', () => {
  test('is for its owner only', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-link-'));
    const path = join(directory, 'socket');
    const server = await listenUnix(path, () => undefined);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  test('is named with the next step when nobody listens', async () => {
    await expect(connectUnix('/nonexistent/socket')).rejects.toMatchObject({
      code: 'LINK_FAILED',
      message: expect.stringContaining('reprise receive --listen'),
    });
  });
});

describe('a destination', () => {
  test.each([
    ['unix:/run/me/socket', { kind: 'unix', path: '/run/me/socket' }],
    ['me@laptop.example', { kind: 'ssh', destination: 'me@laptop.example' }],
    ['ssh://me@laptop:2222', { kind: 'ssh', destination: 'ssh://me@laptop:2222' }],
  ])('%s is understood', (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
  });

  test.each(['', 'unix:', '-oProxyCommand=evil', 'a host', 'host;ls'])('%j is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('a rate', () => {
  test.each([
    ['5mbit', 625_000],
    ['800 kbit', 100_000],
    ['2MB', 2_000_000],
    ['1.5gbit', 187_500_000],
  ])('%s is %d bytes a second', (text, expected) => {
    expect(parseRate(text)).toBe(expected);
  });

  test.each(['', 'fast', '5', '-1mbit', '0mbit', '1e9mbit'])('%j is refused', (text) => {
    expect(() => parseRate(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
