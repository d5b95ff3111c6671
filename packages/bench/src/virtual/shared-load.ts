import { keepBusy } from '@reprise/core';

/** A load on every CPU of the host that is there as long as anybody wants it: several lanes share one. */
export class SharedLoad {
  #wanted = 0;
  #load: AsyncDisposable | undefined;

  want(): AsyncDisposable {
    this.#wanted++;
    this.#load ??= keepBusy();
    let wants = true;
    return {
      [Symbol.asyncDispose]: async () => {
        if (!wants) return;
        wants = false;
        if (--this.#wanted > 0) return;
        const load = this.#load;
        this.#load = undefined;
        await load?.[Symbol.asyncDispose]();
      },
    };
  }
}
