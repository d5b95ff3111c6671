import { types } from 'node:util';

/**
 * Every way in which the driver fails. The values are stable; new ones may come.
 *
 * What to do about each stands in the error's message.
 */
export const BlkErrorCode = {
  aborted: 'ABORTED',
  addonNotBuilt: 'ADDON_NOT_BUILT',
  baseUnreadable: 'BASE_UNREADABLE',
  chainSizeMismatch: 'CHAIN_SIZE_MISMATCH',
  chainTooLong: 'CHAIN_TOO_LONG',
  diskClosed: 'DISK_CLOSED',
  invalidArgument: 'INVALID_ARGUMENT',
  ioFailed: 'IO_FAILED',
  logCorrupt: 'LOG_CORRUPT',
  noSpace: 'NO_SPACE',
  outOfRange: 'OUT_OF_RANGE',
  overlayBusy: 'OVERLAY_BUSY',
  overlayCorrupt: 'OVERLAY_CORRUPT',
  overlayExists: 'OVERLAY_EXISTS',
  overlayNotClosed: 'OVERLAY_NOT_CLOSED',
  overlayNotFound: 'OVERLAY_NOT_FOUND',
  overlaySealed: 'OVERLAY_SEALED',
  overlayVersion: 'OVERLAY_VERSION',
  socketBusy: 'SOCKET_BUSY',
  socketFailed: 'SOCKET_FAILED',
  xenFailed: 'XEN_FAILED',
  xenNoDomain: 'XEN_NO_DOMAIN',
  xenUnavailable: 'XEN_UNAVAILABLE',
} as const;
export type BlkErrorCode = (typeof BlkErrorCode)[keyof typeof BlkErrorCode];

/** The driver's only error class. */
export class BlkError extends Error {
  override readonly name = 'BlkError';

  constructor(
    readonly code: BlkErrorCode,
    message: string,
    /** What it happened to: `path`, `osError` (errno), and whatever else is known. */
    readonly context: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

const knownCodes: ReadonlySet<string> = new Set(Object.values(BlkErrorCode));

interface NativeError extends Error {
  code?: unknown;
  path?: unknown;
  osError?: unknown;
}

/** Makes a BlkError of what the addon threw; anything else stays what it is. */
export function fromNative(error: unknown): unknown {
  // Not instanceof: the addon's errors belong to the realm that loaded it first.
  if (!types.isNativeError(error)) return error;
  const { code, path, osError, message } = error as NativeError;
  if (typeof code !== 'string' || !knownCodes.has(code)) return error;
  const context: Record<string, unknown> = {};
  if (path !== undefined) context['path'] = path;
  if (osError !== undefined) context['osError'] = osError;
  return new BlkError(code as BlkErrorCode, message, context);
}

/** Awaits a native call. */
export async function settle<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw fromNative(error);
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new BlkError(
    BlkErrorCode.aborted,
    'The operation was aborted by its caller. Start it again when it is wanted.',
    {},
    { cause: signal.reason },
  );
}

export function invalidArgument(message: string, context: Record<string, unknown> = {}): BlkError {
  return new BlkError(BlkErrorCode.invalidArgument, message, context);
}
