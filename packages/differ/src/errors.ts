import { types } from 'node:util';

/** Stable codes of {@link DifferError}. */
export const DifferErrorCode = {
  argumentInvalid: 'ARGUMENT_INVALID',
  answersCorrupt: 'ANSWERS_CORRUPT',
  answersMismatch: 'ANSWERS_MISMATCH',
  blobCorrupt: 'BLOB_CORRUPT',
  blobTooLarge: 'BLOB_TOO_LARGE',
  chunkCorrupt: 'CHUNK_CORRUPT',
  closed: 'CLOSED',
  compressionFailed: 'COMPRESSION_FAILED',
  digestUnavailable: 'DIGEST_UNAVAILABLE',
  fileUnreadable: 'FILE_UNREADABLE',
  fileUnwritable: 'FILE_UNWRITABLE',
  fingerprintKeyMissing: 'FINGERPRINT_KEY_MISSING',
  frameCorrupt: 'FRAME_CORRUPT',
  frameOutOfOrder: 'FRAME_OUT_OF_ORDER',
  frameUnsupported: 'FRAME_UNSUPPORTED',
  imageInvalid: 'IMAGE_INVALID',
  indexCorrupt: 'INDEX_CORRUPT',
  indexMismatch: 'INDEX_MISMATCH',
  indexTooLarge: 'INDEX_TOO_LARGE',
  internal: 'INTERNAL',
  leavesInvalid: 'LEAVES_INVALID',
  nativeMissing: 'NATIVE_MISSING',
  outOfMemory: 'OUT_OF_MEMORY',
  outputInvalid: 'OUTPUT_INVALID',
  planInvalid: 'PLAN_INVALID',
  questionsCorrupt: 'QUESTIONS_CORRUPT',
  questionsMismatch: 'QUESTIONS_MISMATCH',
  sizeMismatch: 'SIZE_MISMATCH',
} as const;
export type DifferErrorCode = (typeof DifferErrorCode)[keyof typeof DifferErrorCode];

/** Every operating fault of this package; the message ends with the next step. */
export class DifferError extends Error {
  override readonly name = 'DifferError';
  readonly code: DifferErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    code: DifferErrorCode,
    message: string,
    options: { context?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.context = options.context ?? {};
  }
}

const codes: ReadonlySet<string> = new Set(Object.values(DifferErrorCode));

/** Makes a {@link DifferError} of what a native call threw; anything else stays what it is. */
export function fromNative(error: unknown, context?: Readonly<Record<string, unknown>>): Error {
  if (error instanceof DifferError) return error;
  // Not instanceof: the addon's errors belong to the context that loaded it.
  if (!types.isNativeError(error)) return new Error(String(error));
  const code: unknown = 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || !codes.has(code)) return error;
  return new DifferError(code as DifferErrorCode, error.message, {
    cause: error,
    ...(context === undefined ? {} : { context }),
  });
}
