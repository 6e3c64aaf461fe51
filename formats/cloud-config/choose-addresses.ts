/**
 * Which of a host's addresses `$private_ipv4` and the others stand for. What the operator or the platform wrote into
 * /etc/environment (COREOS_PRIVATE_IPV4 ...) comes first. Else the card with the default route decides; its first
 * private address is the private one, its first public one the public one, and either stands for both where the other
 * is missing: a host behind a translating router has no public address of its own.
 */
import {readVariable} from '../environment-lines.ts';
import {ADDRESS_NAMES, type AddressName, type Addresses} from './substitute.ts';

export interface HostAddress {
  readonly card: string;
  readonly family: 4 | 6;
  readonly address: string;
}

/** `routeCards`: those with a default route, the preferred one first. `environment`: the text of /etc/environment. */
export function chooseAddresses(
  all: readonly HostAddress[],
  routeCards: readonly string[],
  environment: string,
): Addresses {
  const [card] = routeCards;
  const near = card === undefined ? all : all.filter((each) => each.card === card);
  const found = (family: 4 | 6, wantsPrivate: boolean): string | null => {
    const own = near.filter((each) => each.family === family && !isLinkLocal(each.address));
    // A second card may have what the first has not: private networks of clouds.
    const others =
      routeCards.length === 0
        ? []
        : all.filter((each) => routeCards.includes(each.card) && each.family === family);
    const fits = ({address}: HostAddress): boolean =>
      isPrivate(address) === wantsPrivate && !isLinkLocal(address);
    return (own.find(fits) ?? others.find(fits) ?? own[0])?.address ?? null;
  };
  const chosen: Record<AddressName, string | null> = {
    public_ipv4: found(4, false),
    private_ipv4: found(4, true),
    public_ipv6: found(6, false),
    private_ipv6: found(6, true),
  };
  for (const name of ADDRESS_NAMES) {
    const written = readVariable(environment, `COREOS_${name.toUpperCase()}`)?.replaceAll(/^"|"$/g, '') ?? '';
    if (isAddress(written, name.endsWith('4') ? 4 : 6)) chosen[name] = written;
  }
  return chosen;
}

/** RFC 1918, RFC 6598 and RFC 4193. */
function isPrivate(address: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd][0-9a-f]{2}:)/i.test(
    address,
  );
}

/** RFC 3927 and RFC 4291, 2.5.6: means nothing to other hosts. */
function isLinkLocal(address: string): boolean {
  return /^(169\.254\.|fe[89ab][0-9a-f]:)/i.test(address);
}

function isAddress(text: string, family: 4 | 6): boolean {
  if (family === 4)
    return /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every((part) => Number(part) < 256);
  return /^[0-9a-f:]{2,39}$/i.test(text) && URL.canParse(`http://[${text}]/`);
}

/** Cards with an IPv4 default route in /proc/net/route, the lowest metric first. */
export function parseDefaultRoutes(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .sort((a, b) => Number(a[6]) - Number(b[6]))
    .flatMap(([card]) => card ?? []);
}
