/** The release under test: built once for all tests, and named by CAISSON_RELEASE_DIR. */
export function releaseFolder(): string {
  const folder = process.env['CAISSON_RELEASE_DIR'];
  if (folder === undefined || folder === '') {
    throw new Error('CAISSON_RELEASE_DIR is not set (hint: npm test sets it to the release that it built)');
  }
  return folder;
}
