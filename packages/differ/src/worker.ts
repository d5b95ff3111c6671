import { move, transferableSymbol, valueSymbol } from 'piscina';

import { native, type NativeAddon, type NativeDecoder, type NativeEncoder } from './native.js';

/** Kernels that a worker calls as they are. */
type KernelName = Exclude<
  keyof NativeAddon,
  'ResidueEncoder' | 'ResidueDecoder' | 'compressBlob' | 'decompressBlob'
>;

/** One piece of work for a worker thread. Stateful objects live on the one thread of their own pool. */
export type Task =
  | { kind: 'kernel'; name: KernelName; arguments: unknown[] }
  | { kind: 'encoder-open'; id: number; arguments: unknown[] }
  | { kind: 'encoder-next'; id: number; level: number | undefined }
  | { kind: 'decoder-open'; arguments: unknown[] }
  | { kind: 'decoder-apply'; frame: Uint8Array }
  | { kind: 'decoder-report'; flush: boolean }
  | { kind: 'close'; id?: number };

/** Errors lose their code on the way between threads; this keeps it. */
export type TaskResult =
  { value: unknown } | { error: { message: string; code: string | undefined } };

const encoders = new Map<number, NativeEncoder>();
let decoder: NativeDecoder | undefined;

function construct(name: 'ResidueEncoder' | 'ResidueDecoder', parameters: unknown[]): unknown {
  return Reflect.construct(native()[name], parameters);
}

function opened(applier: NativeDecoder | undefined): NativeDecoder {
  if (applier === undefined) throw new Error('The applier is not open on this thread.');
  return applier;
}

function run(task: Task): unknown {
  switch (task.kind) {
    case 'kernel':
      return (native()[task.name] as (...values: unknown[]) => unknown)(...task.arguments);
    case 'encoder-open':
      encoders.set(task.id, construct('ResidueEncoder', task.arguments) as NativeEncoder);
      return undefined;
    case 'encoder-next':
      return encoders.get(task.id)?.next(task.level) ?? null;
    case 'decoder-open':
      decoder = construct('ResidueDecoder', task.arguments) as NativeDecoder;
      return undefined;
    case 'decoder-apply':
      opened(decoder).apply(task.frame);
      return undefined;
    case 'decoder-report':
      return task.flush ? opened(decoder).finish() : opened(decoder).applied();
    case 'close':
      if (task.id !== undefined) {
        encoders.get(task.id)?.close();
        encoders.delete(task.id);
      } else {
        decoder?.close();
        decoder = undefined;
      }
      return undefined;
  }
}

/** What a result holds is given away: whoever asked gets the memory itself. */
function givenAway(result: TaskResult, value: object): object {
  const members: unknown[] = Object.values(ArrayBuffer.isView(value) ? { value } : value);
  const buffers = members.flatMap((one) => (ArrayBuffer.isView(one) ? [one.buffer] : []));
  return move({ [transferableSymbol]: [...new Set(buffers)], [valueSymbol]: result });
}

/** Piscina's entry. */
export default function work(task: Task): TaskResult | object {
  try {
    const value = run(task);
    const result: TaskResult = { value };
    // Kernels answer with memory of their own; stateful objects may keep what they answer with.
    if (task.kind !== 'kernel' || typeof value !== 'object' || value === null) return result;
    return givenAway(result, value);
  } catch (error) {
    if (!(error instanceof Error)) return { error: { message: String(error), code: undefined } };
    const code: unknown = 'code' in error ? error.code : undefined;
    return { error: { message: error.message, code: typeof code === 'string' ? code : undefined } };
  }
}
