/** The vocabulary of the input log: events, anchors, and the log itself. Byte layouts: docs/formats/input-log.md. */

export interface KeyInput {
  readonly kind: 'key';
  readonly down: boolean;
  /** X11 keysym. */
  readonly keysym: number;
}

/** QEMU's extended key event: the keysym and the XT keycode of the physical key. */
export interface ExtendedKeyInput {
  readonly kind: 'extended-key';
  readonly down: boolean;
  readonly keysym: number;
  readonly keycode: number;
}

/** Absolute position in pixels; `buttons` is RFB's mask (bit 0 left, 1 middle, 2 right, 3-7 wheel and more). */
export interface PointerInput {
  readonly kind: 'pointer';
  readonly x: number;
  readonly y: number;
  readonly buttons: number;
}

export interface ScreenLayout {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly flags: number;
}

/** RFB SetDesktopSize. */
export interface ResizeInput {
  readonly kind: 'resize';
  readonly width: number;
  readonly height: number;
  readonly screens: readonly ScreenLayout[];
}

/** RFB ClientCutText; `extended`: the body is an extended clipboard message (its length travels negative). */
export interface ClipboardInput {
  readonly kind: 'clipboard';
  readonly extended: boolean;
  readonly data: Uint8Array;
}

export type InputEvent = KeyInput | ExtendedKeyInput | PointerInput | ResizeInput | ClipboardInput;

/** A rectangle of whole 32 x 32 pixel tiles. */
export interface TileRect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What the screen showed just before an input that matters. */
export interface Anchor {
  /** 16 hexadecimal digits. */
  readonly digest: string;
  readonly width: number;
  readonly height: number;
  /** Tiles that the digest leaves out: the pointer's, and those that blink by themselves. */
  readonly mask: readonly TileRect[];
  /** CPU time that the guest had used since the session started, ms. */
  readonly cpuMs: number;
}

export interface TimedInput {
  /** Since the session started; the VM's pauses do not count. */
  readonly atMs: number;
  readonly event: InputEvent;
  readonly anchor?: Anchor;
}

/** An Ethernet frame that reached the guest's network card, in a session in virtual time. */
export interface TimedFrame {
  readonly atMs: number;
  /** How many of the log's events came before it. */
  readonly after: number;
  readonly bytes: Uint8Array;
}

/**
 * What a session in virtual time had come to at an instant of it. A replay that is the session comes to the same;
 * where it does not, the first mark that differs tells when it went another way, and in what.
 */
export interface SessionMark {
  /** A multiple of the log's `markEveryMs`. Before any input of the same instant. */
  readonly atMs: number;
  /** All that the guest's CPU executed, and its disk was asked for, since the session began. */
  readonly instructions: number;
  readonly diskRequests: number;
  /** Frames that its network card took in and sent, modulo 2^16. */
  readonly framesReceived: number;
  readonly framesSent: number;
  /** 32 bits of digests: of the disk's requests and what they wrote, of the input, of all memory. */
  readonly disk: number;
  readonly input: number;
  readonly memory: number;
}

/** How a session ended: when, and on which screen. */
export interface SessionEnd {
  readonly atMs: number;
  readonly anchor?: Anchor;
}

/** Where the console proxy puts what it records. Calls come in the order in which events reached the display. */
export interface InputSink {
  record(input: TimedInput): void;
  /** The session is over; nothing is recorded after it. */
  finish?(end: SessionEnd): Promise<void>;
}

export interface HeldKey {
  readonly keysym: number;
  /** Present for an extended key. */
  readonly keycode?: number;
}

export interface InputLogHeader {
  readonly width: number;
  readonly height: number;
  /** Keys that the guest held pressed when the session started, oldest first. */
  readonly held: readonly HeldKey[];
  readonly buttons: number;
  readonly pointer?: { readonly x: number; readonly y: number };
  /**
   * The session ran in virtual time: every time is exact, keys have their numbers, positions are the
   * tablet's (0 to 32,767), and there are no anchors.
   */
  readonly virtual?: {
    /** The guest's virtual clock when the session began, ns. */
    readonly startNs: bigint;
    /** Between two marks; absent: the log has none. A multiple of TICK_MS, at most an hour. */
    readonly markEveryMs?: number;
  };
}

export interface InputLog {
  readonly header: InputLogHeader;
  readonly events: readonly TimedInput[];
  /** Absent where none was logged. */
  readonly frames?: readonly TimedFrame[];
  /** In order; absent where there are none. */
  readonly marks?: readonly SessionMark[];
  /** From here on frames reached the guest that are not in the log: a replay cannot be exact. */
  readonly framesMissingFromMs?: number;
  /** Absent when the recording broke off. */
  readonly end?: SessionEnd;
}

/** Limits of the format; readers refuse what exceeds them. */
export const inputLimits = {
  records: 4_000_000,
  /** Instructions of a mark are counted modulo this: a guest may have run for years. */
  markInstructions: 2 ** 40,
  clipboardBytes: 1 << 20,
  networkFrameBytes: 0xffff,
  heldKeys: 256,
  dictionary: 65_536,
  maskRects: 64,
  screens: 255,
  side: 16_384,
  sessionMs: 2 ** 40,
  markEveryMs: 3_600_000,
  unpackedBytes: 64 << 20,
  frameBytes: 4 << 20,
} as const;

/** Times in a log are multiples of this. */
export const TICK_MS = 10;

/** Screens are compared by tiles of this side, pixels. */
export const TILE = 32;
