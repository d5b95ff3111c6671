import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * JSON messages on the wire: deflated against what was said before in the same direction, and a list of words that
 * both sides know. Names of fields and roots said once are most of a conversation. Byte layout: docs/formats/protocol.md.
 */

/** Stands before a deflated message; JSON of an object begins with a brace. */
const DEFLATED = 0;
/** Deflate reaches back 32 KiB. */
const MEMORY_BYTES = 24 * 1024;

/** What messages are made of, what is said most often last. Part of the protocol: another text is another version. */
export const KNOWN_WORDS = Buffer.from(
  [
    '{"code":"INTERNAL","message":"',
    '"ancestors":[],"token":1,"parts":[{"part":"kernel","digest":"","sizeBytes":{"part":"initrd"{"part":"disk"{"part":"ram"{"part":"device"}],"createdAt":"2026-',
    '{"offsets":[0,0,0,0,0]}{"running":true}{"running":false,"reason":"{"equal":true,"broken":[]}{"equal":false,"broken":["ram","disk","device"]}{"keep":true}',
    ',"virtualTime":{"ready":true},"qemu":"","firmware":"","plugin":"","arguments":"","shift":2,"tickNs":10000000',
    '{"vm":"","name":"desktop","machine":{"version":1,"hypervisor":"qemu","machineType":"pc-i440fx-7.2","accelerator":"tcg","cpuModel":"qemu64","cpus":1,"memoryMiB":512,"diskBytes":2684354560,',
    '"display":{"width":800,"height":600},"boot":{"kind":"direct","kernel":"","initrd":"","append":"root=/dev/vda console=ttyS0 quiet"},"network":"none","network":"user","clock":"host","clock":"virtual",',
    '"frames":"log","clockBase":"2026-01-01T00:00:00","seed":2008},"target":"","bases":[""],"resume":true,"handoff":[],"occupiedBytes":',
    '{"obstacles":[],"base":"","known":true,"complete":false,"freeBytes":,"handoff":[]}',
    '{"base":"","migration":"","strategy":"ship","strategy":"replay","fronts":true,"fronts":false,"exact":true}',
    '{"root":"","ramRoot":"","diskRoot":"","deviceDigest":"","deviceBytes":,"createdAt":"2026-12-01T00:00:00.000Z"}',
    '{"outcome":"diverged","outcome":"complete","pacing":"evidence","pacing":"virtual time","events":,"anchors":,"anchorsMissed":0,"missed":[{"index":,"atMs":,"reason":"],"endSeen":true,"marks":,"attempts":{"state":{"ramRoot":"","notes":["seconds":,"sessionSeconds":',
    '{"type":"released","host":"","lineage":"","ancestors":[],"migration":"","root":"","token":{"type":"owned"{"type":"prepared"{"type":"offer","host":"","lineage":"","ancestors":[],"migration":"","root":"","token":2}',
    '{"events":0,"eventsTotal":0,"missesInARow":0,"sessionMs":0,"matchedMs":0,"cpuMs":0,"starvedMs":0}',
  ].join(''),
);

/** One direction of a conversation; both ends pass every message through theirs, in order. */
export class ControlCodec {
  #said = Buffer.alloc(0);

  encode(json: Buffer): Buffer {
    const deflated = deflateRawSync(json, {
      ...{ dictionary: this.#dictionary(), level: constants.Z_BEST_COMPRESSION, memLevel: 9 },
    });
    this.#remember(json);
    if (1 + deflated.length >= json.length) return json;
    return Buffer.concat([Buffer.of(DEFLATED), deflated]);
  }

  /** Throws whatever zlib throws for what it cannot inflate to at most `maxBytes`. */
  decode(payload: Buffer, maxBytes: number): Buffer {
    const json =
      payload[0] === DEFLATED
        ? inflateRawSync(payload.subarray(1), {
            ...{ dictionary: this.#dictionary(), maxOutputLength: maxBytes },
          })
        : payload;
    this.#remember(json);
    return json;
  }

  #dictionary(): Buffer {
    return Buffer.concat([KNOWN_WORDS, this.#said]);
  }

  #remember(json: Buffer): void {
    this.#said = Buffer.concat([this.#said, json]).subarray(-MEMORY_BYTES);
  }
}
