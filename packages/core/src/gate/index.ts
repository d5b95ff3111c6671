/** Side effects: what may leave a guest, and what tried to. */
export { openGuestNetwork, type GuestNetworkOptions } from './guest-network.js';
export type { Direction, NetworkFault } from './network-service.js';
