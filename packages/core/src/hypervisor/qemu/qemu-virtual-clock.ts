import type {
  DeviceInput,
  TimedDeviceInput,
  VirtualClock,
  VirtualClockStatus,
  VirtualMark,
} from '../virtual-clock.js';

import type { ClockClient } from './clock-client.js';

/** The plugin's clock, whose stops are over when QEMU itself says that the guest stands. */
export class QemuVirtualClock implements VirtualClock {
  readonly #client: ClockClient;
  readonly #stopped: () => Promise<void>;

  constructor(client: ClockClient, stopped: () => Promise<void>) {
    this.#client = client;
    this.#stopped = stopped;
  }

  status(): Promise<VirtualClockStatus> {
    return this.#client.status();
  }

  record(options: Parameters<VirtualClock['record']>[0]): Promise<bigint> {
    return this.#client.record(options);
  }

  nextMark(): Promise<VirtualMark | undefined> {
    return this.#client.nextMark();
  }

  inject(input: DeviceInput): Promise<number> {
    return this.#client.inject(input);
  }

  async stop(): Promise<number> {
    const sessionNs = await this.#client.stop();
    await this.#stopped();
    return sessionNs;
  }

  load(events: Iterable<TimedDeviceInput>): Promise<void> {
    return this.#client.load(events);
  }

  replay(stopAtNs: number, options?: { readonly markEveryNs?: number }): Promise<bigint> {
    return this.#client.replay(stopAtNs, options);
  }

  halt(): Promise<void> {
    return this.#client.halt();
  }

  async replayed(signal?: AbortSignal): Promise<number> {
    const sessionNs = await this.#client.replayed(signal);
    await this.#stopped();
    return sessionNs;
  }

  abandon(): void {
    this.#client.close();
  }
}
