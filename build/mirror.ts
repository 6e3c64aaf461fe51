/**
 * Where packages come from: the mirror that this machine's own apt uses for Debian, or the one named by `--mirror`.
 * No host is built in, so that a site's mirror, proxy and air gap are respected without configuration of ours.
 */
import {CodedError} from '../formats/errors.ts';
import {exec} from '../platform/exec.ts';

export class MirrorError extends CodedError<'no-mirror' | 'bad-mirror' | 'mirror-unreachable'> {}

export interface Mirror {
  /** Base addresses with a trailing slash. */
  main: string;
  security: string;
  /** apt's own proxy for plain HTTP, when it has one. */
  proxy: string | undefined;
}

export interface MirrorOptions {
  mirror?: string | undefined;
  securityMirror?: string | undefined;
}

/** An archive that apt of this machine is set up for. */
export interface AptTarget {
  /** With a trailing slash. */
  address: string;
  suite: string;
}

const DEBIAN_SUITE = /^(bullseye|bookworm|trixie|forky|sid|stable|oldstable|oldoldstable|testing|unstable)$/;

export async function findMirror(options: MirrorOptions): Promise<Mirror> {
  const targets = options.mirror === undefined ? await aptTargets() : [];
  return {...chooseMirror(options, targets), proxy: await aptProxy()};
}

/** Options go before apt's own targets. Throws MirrorError. */
export function chooseMirror(
  {mirror, securityMirror}: MirrorOptions,
  targets: readonly AptTarget[],
): Omit<Mirror, 'proxy'> {
  const main = checkAddress(mirror ?? findDebian(targets));
  const security =
    securityMirror ??
    (mirror === undefined ? targets.find(({suite}) => isSecuritySuite(suite))?.address : undefined) ??
    securityOf(main);
  return {main, security: checkAddress(security)};
}

/**
 * Archives of others name their suites after Debian's, too; Debian itself has an update suite beside the release, or
 * at least the usual path.
 */
function findDebian(targets: readonly AptTarget[]): string {
  const releases = targets.filter(({suite}) => DEBIAN_SUITE.test(suite));
  const found =
    releases.find(({address, suite}) =>
      targets.some((other) => other.address === address && other.suite === `${suite}-updates`),
    ) ?? releases.find(({address}) => /(?<!\/linux)\/debian\/$/.test(address));
  if (found !== undefined) return found.address;
  throw new MirrorError('no-mirror', "this machine's apt names no Debian mirror", {
    hint: 'name one with --mirror URL (and --security-mirror URL)',
  });
}

function isSecuritySuite(suite: string): boolean {
  return suite.endsWith('-security') && DEBIAN_SUITE.test(suite.replace(/-security$/, ''));
}

/** Mirrors keep the security archive beside the main one. Throws MirrorError when that cannot be told from the name. */
function securityOf(main: string): string {
  if (main.endsWith('/debian/')) return main.replace(/\/debian\/$/, '/debian-security/');
  throw new MirrorError('bad-mirror', `cannot tell the security archive from mirror ${main}`, {
    hint: 'name it with --security-mirror',
  });
}

/** The one-line sources of apt for the given suites. */
export function aptSources(mirror: Mirror, suites: readonly string[]): string {
  return suites
    .map((suite) => `deb [signed-by=${DEBIAN_KEYRING}] ${suiteBase(mirror, suite)} ${suite} main\n`)
    .join('');
}

export function suiteBase(mirror: Mirror, suite: string): string {
  return suite.endsWith('-security') ? mirror.security : mirror.main;
}

/** From package debian-archive-keyring, which is there under this name on Debian 12 and 13 and on Ubuntu. */
export const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What apt would fetch; unlike its list of targets this does not need indexes that were fetched before. */
async function aptTargets(): Promise<AptTarget[]> {
  return parseAptUris((await exec(['apt-get', 'update', '--print-uris'])).stdout);
}

/** Reads what `apt-get update --print-uris` says. */
export function parseAptUris(text: string): AptTarget[] {
  return [...text.matchAll(/^'(\S+)dists\/([^/']+(?:\/updates)?)\/InRelease'/gm)].map(
    ([, address = '', suite = '']) => ({address, suite}),
  );
}

async function aptProxy(): Promise<string | undefined> {
  const {stdout} = await exec(['apt-config', 'dump', '--format', '%f=%v%n', 'Acquire::http::Proxy']);
  const proxy = /^Acquire::http::Proxy=(.+)$/m.exec(stdout)?.[1];
  return proxy === undefined || proxy === 'DIRECT' ? undefined : proxy;
}

function checkAddress(text: string): string {
  let address: URL;
  try {
    address = new URL(text.endsWith('/') ? text : `${text}/`);
  } catch (error) {
    throw new MirrorError('bad-mirror', `"${text}" is not the address of a mirror`, {cause: error});
  }
  if (!['http:', 'https:'].includes(address.protocol)) {
    throw new MirrorError('bad-mirror', `mirror ${text} is not http or https`, {
      hint: 'name one with --mirror URL',
    });
  }
  return address.href;
}
