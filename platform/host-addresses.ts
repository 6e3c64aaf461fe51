/** The addresses of this machine's network cards, and which cards lead out. */
import {readFile} from 'node:fs/promises';
import {networkInterfaces} from 'node:os';

export interface CardAddress {
  readonly card: string;
  readonly family: 4 | 6;
  readonly address: string;
}

/** In the order of the system, without those of the loopback. */
export function cardAddresses(): readonly CardAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([card, infos]) =>
    (infos ?? [])
      .filter(({internal}) => !internal)
      .map(({family, address}) => ({card, family: family === 'IPv6' ? 6 : 4, address}) as const),
  );
}

/** The kernel's IPv4 routes as it shows them; empty where there is no such file. */
export async function readRoutes(): Promise<string> {
  return readFile('/proc/net/route', 'utf8').catch(() => '');
}
