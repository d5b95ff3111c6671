import { fromNative } from './errors.js';
import type { Image } from './image.js';
import { native } from './native.js';

/** One plain file as an image; its holes are found, not read. Throws FILE_UNREADABLE. */
export function fileImage(path: string): Promise<Image> {
  return new Promise((resolve, reject) => {
    try {
      resolve({ ...native().describeFile(path), files: [path] });
    } catch (error) {
      reject(fromNative(error, { path }));
    }
  });
}

/**
 * Bytes of images that all operations of this process have looked at so far, whether they came from storage or from
 * the page cache: for benches. An operation under way is counted when its batch ends.
 */
export function bytesExamined(): bigint {
  return native().bytesExamined();
}
