import {dirname, join} from 'node:path';

/** The release under test: built once for all tests, and named by CAISSON_RELEASE_DIR. */
export function releaseFolder(): string {
  const folder = process.env['CAISSON_RELEASE_DIR'];
  if (folder === undefined || folder === '') {
    throw new Error('CAISSON_RELEASE_DIR is not set (hint: npm test sets it to the release that it built)');
  }
  return folder;
}

/** Files of a key pair. */
export interface KeyPair {
  privateKey: string;
  publicKey: string;
}

/** The keys with which the tests sign: in the folder that holds the releases, as `caisson keys` names them. */
export function keysBeside(out: string): {update: KeyPair; channel: KeyPair} {
  return {update: pair(join(out, 'keys/update')), channel: pair(join(out, 'keys/channel/channel'))};
}

/** Whose updates the release under test takes. */
export function updateKeys(): KeyPair {
  return keysBeside(dirname(releaseFolder())).update;
}

/** Whom the release under test believes about channels. */
export function channelKeys(): KeyPair {
  return keysBeside(dirname(releaseFolder())).channel;
}

function pair(path: string): KeyPair {
  return {privateKey: `${path}.key.pem`, publicKey: `${path}.pub.pem`};
}
