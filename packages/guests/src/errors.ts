/** Stable codes of {@link GuestError}. */
export type GuestErrorCode =
  | 'GUEST_UNKNOWN'
  | 'GUEST_RECIPE_INVALID'
  | 'GUEST_PROGRAM_MISSING'
  | 'GUEST_COMMAND_FAILED'
  | 'GUEST_COMMAND_TIMEOUT'
  | 'GUEST_BUILD_CANCELLED'
  | 'GUEST_PACKAGE_INVALID'
  | 'GUEST_INSTALL_FAILED'
  | 'GUEST_NOT_READY';

/** Something kept a guest from being built. The message ends with what to do next. */
export class GuestError extends Error {
  override readonly name = 'GuestError';
  readonly code: GuestErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    code: GuestErrorCode,
    message: string,
    context: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.context = context;
  }
}

/** The `code` of an error of Node's (`ENOENT`, …), if it has one. */
export function systemErrorCode(error: unknown): string | undefined {
  // Not instanceof: under jest, Node's own errors are of another realm.
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
