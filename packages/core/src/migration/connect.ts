import {
  connectSsh,
  connectUnix,
  limitRate,
  parseAddress,
  type Link,
  type SshOptions,
} from '../link/index.js';
import { Channel, type Side } from '../protocol/index.js';
import { SOFTWARE } from '../version.js';

export interface ConnectOptions {
  /** `user@host` for ssh, `unix:/path` for a socket where a receiver listens. */
  readonly destination: string;
  readonly ssh?: SshOptions;
  /** Bytes a second in each direction; unlimited when left out. */
  readonly bytesPerSecond?: number;
  readonly hostId: string;
  readonly signal?: AbortSignal;
}

/** Opens the link to a destination and greets it. */
export async function connectTo(options: ConnectOptions): Promise<Channel> {
  const address = parseAddress(options.destination);
  const link =
    address.kind === 'unix'
      ? await connectUnix(address.path, options.signal)
      : await connectSsh(address.destination, options.ssh);
  const { bytesPerSecond } = options;
  const limited = bytesPerSecond === undefined ? link : limitRate(link, bytesPerSecond);
  return await greet(limited, 'source', options.hostId, options.signal);
}

export async function greet(
  link: Link,
  side: Side,
  host: string,
  signal?: AbortSignal,
): Promise<Channel> {
  const self = { software: SOFTWARE, host };
  return await Channel.open(link, side, self, signal === undefined ? {} : { signal });
}
