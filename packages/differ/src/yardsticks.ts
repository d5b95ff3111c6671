import { fromNative } from './errors.js';
import type { Image } from './image.js';
import { native, type Yardsticks } from './native.js';

/**
 * Copies and then hashes every page of an image that a file holds, mapped a window at a time as the differ does it:
 * what its throughput is held against. For benches; it runs on the calling thread. Throws what reading an image throws.
 */
export function measureYardsticks(image: Image): Yardsticks {
  try {
    return native().measureYardsticks(image);
  } catch (error) {
    throw fromNative(error);
  }
}
