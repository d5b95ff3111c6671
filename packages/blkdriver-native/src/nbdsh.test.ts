import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { VirtualDisk } from './index.js';
import { runOk } from './testing/run.js';
import { Scratch } from './testing/scratch.js';

// libnbd's shell, command by command, as docs/interop.md lists them.
const size = 16 << 20;
let scratch: Scratch;
let disk: VirtualDisk;
let socketPath: string;

beforeAll(async () => {
  scratch = await Scratch.create();
  disk = await VirtualDisk.open(await scratch.chain(size, 4 << 20));
  socketPath = scratch.path('s');
  await disk.serve({ socketPath });
});

afterAll(async () => {
  await disk.close();
  await scratch[Symbol.asyncDispose]();
});

/** Runs a script in which `uri` and `path` are defined; it must say "done". */
async function nbdsh(script: string): Promise<void> {
  const prelude = `uri = "nbd+unix:///disk?socket=${socketPath}"; path = "${socketPath}"; size = ${size}
def fails(errnum, call):
  try: call()
  except nbd.Error as error: assert error.errnum == errnum, error
  else: assert False, "it was not refused"
`;
  // Debian's nbdsh needs Debian's python3, whatever else comes first in the PATH.
  const args = ['PATH=/usr/bin:/bin', 'nbdsh', '-c', `${prelude}${script}\nprint("done")`];
  expect(await runOk('env', args)).toBe('done\n');
}

describe('nbdsh', () => {
  test('uses every command with structured replies', async () => {
    await nbdsh(`
h.add_meta_context("base:allocation"); h.add_meta_context("reprise:dirty")
h.connect_uri(uri)
assert h.get_structured_replies_negotiated()
h.pwrite(b"x" * 100000, 5000, nbd.CMD_FLAG_FUA)
assert h.pread(100000, 5000) == b"x" * 100000
h.zero(4096, 8192, nbd.CMD_FLAG_NO_HOLE); h.zero(4096, 12288, nbd.CMD_FLAG_FAST_ZERO)
assert h.pread(8192, 8192) == b"\\0" * 8192
h.trim(65536, 0); h.cache(65536, 0); h.flush()
seen = {}
h.block_status(size, 0, lambda name, offset, entries, error: seen.update({name: entries}))
assert set(seen) == {"base:allocation", "reprise:dirty"}, seen
assert sum(seen["reprise:dirty"][0::2]) == size
h.block_status(size, 0, lambda n, o, e, x: seen.update({n: e}), nbd.CMD_FLAG_REQ_ONE)
assert len(seen["reprise:dirty"]) == 2`);
  });

  test('does the same without structured replies, and without fixed newstyle extras', async () => {
    await nbdsh(`
h.set_request_structured_replies(False); h.connect_uri(uri)
assert not h.get_structured_replies_negotiated() and not h.can_df()
data = bytes(i % 251 for i in range(1 << 20))
h.pwrite(data, 12345); assert h.pread(len(data), 12345) == data
h.zero(4096, 8192); assert h.pread(4096, 8192) == b"\\0" * 4096
h.shutdown()
h = nbd.NBD(); h.set_handshake_flags(0); h.set_opt_mode(False); h.connect_uri(uri)
assert h.get_size() == size and h.pread(512, 12345) == data[:512]`);
  });

  test('negotiates option by option: lists, asks, is refused, and goes on', async () => {
    await nbdsh(`
h.set_opt_mode(True); h.connect_unix(path)
exports = []; h.opt_list(lambda name, text: exports.append(name)); assert exports == ["disk"], exports
h.set_export_name("other"); fails(2, h.opt_info)
h.set_export_name(""); h.opt_info(); assert h.get_size() == size
assert h.get_block_size(nbd.SIZE_MINIMUM) == 1 and h.get_block_size(nbd.SIZE_PREFERRED) == 4096
assert h.get_block_size(nbd.SIZE_MAXIMUM) == 32 << 20
contexts = []; h.opt_list_meta_context(contexts.append)
assert contexts == ["base:allocation", "reprise:dirty", "qemu:dirty-bitmap:reprise"], contexts
h.set_export_name("disk"); h.opt_go(); assert h.can_multi_conn() and h.can_fast_zero()
h.flush()`);
  });

  test('is told what is wrong with a request, and the connection goes on', async () => {
    await nbdsh(`
h.connect_uri(uri); h.set_strict_mode(0)
fails(22, lambda: h.pread(4096, size)); fails(28, lambda: h.pwrite(b"x" * 512, size))
fails(22, lambda: h.trim(4096, size - 512)); fails(28, lambda: h.zero(4096, size - 512))
fails(22, lambda: h.pread(512, 0, 1 << 9)); fails(22, lambda: h.trim(512, 0, nbd.CMD_FLAG_NO_HOLE))
fails(22, lambda: h.block_status(512, 0, lambda *a: 0))
h.pwrite(b"y" * 512, 0); assert h.pread(512, 0) == b"y" * 512`);
  });

  test('has many requests in flight, and one connection flushes what another wrote', async () => {
    await nbdsh(`
g = nbd.NBD(); g.connect_uri(uri); h.connect_uri(uri)
buffers = [nbd.Buffer.from_bytearray(bytearray([i]) * 4096) for i in range(64)]
cookies = [h.aio_pwrite(b, i * 8192) for i, b in enumerate(buffers)]
while h.aio_in_flight() > 0: h.poll(-1)
for c in cookies: assert h.aio_command_completed(c)
g.flush()
for i in range(64): assert g.pread(4096, i * 8192) == bytes([i]) * 4096
big = nbd.Buffer(8 << 20); cookie = g.aio_pread(big, 0)
while not g.aio_command_completed(cookie): g.poll(-1)
assert bytes(big.to_bytearray())[8192:8192 + 4096] == bytes([1]) * 4096
g.shutdown(); h.shutdown()`);
  });

  test('reads in one piece where it asks for that, and in pieces where it does not', async () => {
    await nbdsh(`
h.connect_uri(uri); pieces = []
note = lambda data, offset, status, error: pieces.append(len(data))
h.pread_structured(2 << 20, 0, note, nbd.CMD_FLAG_DF); assert pieces == [2 << 20], pieces
pieces.clear(); h.pread_structured(2 << 20, 0, note)
assert len(pieces) > 1 and sum(pieces) == 2 << 20, pieces`);
  });
});
