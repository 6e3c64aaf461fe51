/** What QEMU's monitor says about the ports of a user network. */
import type {PortForward} from './machine-spec.ts';

/**
 * The forwards of QEMU's user networks as its monitor command `info usernet` lists them, with the ports that were
 * really taken. Lines look like `TCP[HOST_FORWARD]  12  127.0.0.1 40123  10.0.2.15  22  0  0`.
 *
 * Why not choose a free port ourselves: between choosing and QEMU's binding another process may take it.
 */
export function parseForwards(listing: string): PortForward[] {
  const row = /^\s*TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)\s/gm;
  return [...listing.matchAll(row)].map((match) => ({
    hostPort: Number(match[1]),
    guestPort: Number(match[2]),
  }));
}
