import type { Context } from '../context.js';

/** `force-take`: an operator's decision that the other host is gone for good. It is recorded. */
export async function forceTake(
  context: Context,
  name: string,
  options: { readonly reason: string },
): Promise<void> {
  await using store = await context.openStore();
  await store.vm(name);
  const state = await store.lease.forceTake(name, options.reason);
  await store.settleHead(name);
  context.output.result(
    { name, state },
    () =>
      `'${name}' may run here now. If another host still has it, the two will refuse each other when they meet.`,
  );
}
