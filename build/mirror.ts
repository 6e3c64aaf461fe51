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

const DEBIAN_SUITE =
  /^(bullseye|bookworm|trixie|forky|sid|stable|oldstable|oldoldstable|testing|unstable)(-.+)?$/;

export async function findMirror(options: {
  mirror?: string | undefined;
  securityMirror?: string | undefined;
}): Promise<Mirror> {
  const proxy = await aptProxy();
  if (options.mirror !== undefined) {
    const main = checkAddress(options.mirror);
    return {main, security: checkAddress(options.securityMirror ?? securityOf(main)), proxy};
  }
  const targets = await aptTargets();
  const main = targets.find(({codename}) => DEBIAN_SUITE.test(codename) && !codename.includes('-'));
  const security = targets.find(({codename}) => DEBIAN_SUITE.test(codename) && /-security$/.test(codename));
  if (main === undefined) {
    throw new MirrorError('no-mirror', "this machine's apt names no Debian mirror", {
      hint: 'name one with --mirror URL (and --security-mirror URL)',
    });
  }
  return {
    main: checkAddress(main.address),
    security: checkAddress(
      options.securityMirror ?? security?.address ?? securityOf(checkAddress(main.address)),
    ),
    proxy,
  };
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
async function aptTargets(): Promise<{address: string; codename: string}[]> {
  const {stdout} = await exec(['apt-get', 'update', '--print-uris']);
  return [...stdout.matchAll(/^'(\S+)dists\/([^/']+(?:\/updates)?)\/InRelease'/gm)].map(
    ([, address = '', codename = '']) => ({
      address,
      codename,
    }),
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
