import { createCipheriv, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** RFB security type 2 looks at this many characters of a password and no more. */
export const VNC_PASSWORD_LENGTH = 8;
export const VNC_CHALLENGE_BYTES = 16;

export function vncChallenge(): Buffer {
  return randomBytes(VNC_CHALLENGE_BYTES);
}

/**
 * The challenge, encrypted with the password by DES in ECB mode. VNC takes each key byte's bits in reverse. OpenSSL 3
 * keeps single DES in its legacy provider; triple DES with one key three times is the same function.
 */
export function vncResponse(password: string, challenge: Uint8Array): Buffer {
  const key = Buffer.alloc(VNC_PASSWORD_LENGTH);
  Buffer.from(password, 'latin1').copy(key);
  for (const [i, byte] of key.entries()) key[i] = reverseBits(byte);
  const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([key, key, key]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

export function isVncResponse(
  password: string,
  challenge: Uint8Array,
  response: Uint8Array,
): boolean {
  return (
    response.length === VNC_CHALLENGE_BYTES &&
    timingSafeEqual(vncResponse(password, challenge), response)
  );
}

function reverseBits(byte: number): number {
  let out = 0;
  for (let bit = 0; bit < 8; bit++) out |= ((byte >> bit) & 1) << (7 - bit);
  return out;
}

const FIRST_PENALTY_MS = 250;
const LONGEST_PENALTY_MS = 8000;

/**
 * Makes guessing slow: attempts are judged one at a time, and after n failures in a row each waits
 * 250 ms x 2^(n-1), at most 8 s, however many connections they come from.
 */
export class AuthenticationThrottle {
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  #failures = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    wait = (ms: number, signal: AbortSignal): Promise<unknown> => delay(ms, undefined, { signal }),
  ) {
    this.#wait = wait;
  }

  /** Judges when it is this attempt's turn. Rejects when `signal` aborts first. */
  judge(check: () => boolean, signal: AbortSignal): Promise<boolean> {
    const verdict = this.#turn.then(async () => {
      signal.throwIfAborted();
      if (this.#failures > 0) {
        await this.#wait(
          Math.min(LONGEST_PENALTY_MS, FIRST_PENALTY_MS * 2 ** (this.#failures - 1)),
          signal,
        );
      }
      const accepted = check();
      this.#failures = accepted ? 0 : this.#failures + 1;
      return accepted;
    });
    // The next in line does not care why this attempt ended.
    this.#turn = verdict.catch(() => undefined);
    return verdict;
  }
}
