import {dirname, join} from 'node:path';

/** The release under test: built once for all tests, and named by CAISSON_RELEASE_DIR. */
export function releaseFolder(): string {
  const folder = process.env['CAISSON_RELEASE_DIR'];
  if (folder === undefined || folder === '') {
    throw new Error('CAISSON_RELEASE_DIR is not set (hint: npm test sets it to the release that it built)');
  }
  return folder;
}

/** The key pair with which the tests sign updates: in the folder that holds the releases. */
export function updateKeysBeside(out: string): {privateKey: string; publicKey: string} {
  return {privateKey: join(out, 'keys/update.key.pem'), publicKey: join(out, 'keys/update.pub.pem')};
}

/** Of the release under test. */
export function updateKeys(): {privateKey: string; publicKey: string} {
  return updateKeysBeside(dirname(releaseFolder()));
}
