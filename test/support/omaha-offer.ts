/** What an update server answers that offers one payload of several addresses. */
import {CAISSON_APP_ID} from '../../formats/omaha/request.ts';
import {encodeResponse} from '../../formats/omaha/response.ts';

export interface OfferedFile {
  readonly version: string;
  /** All of them end in the same name. */
  readonly urls: readonly string[];
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export function offerAnswer({version, urls, bytes, sha256}: OfferedFile): string {
  const name = urls[0]?.slice(urls[0].lastIndexOf('/') + 1) ?? '';
  const answer = encodeResponse({
    server: 'test',
    apps: [
      {
        ...{appId: CAISSON_APP_ID, status: 'ok', ping: true, events: 1},
        updateCheck: {
          status: 'ok',
          pollSeconds: null,
          codebases: urls.map((url) => new URL('.', url).href),
          hold: null,
          manifest: {
            version,
            packages: [{name, bytes, sha1: '', sha256, required: true}],
            actions: [
              {event: 'postinstall', sha256, isDelta: false, disableBackoff: true, maxFailuresPerUrl: 1},
            ],
          },
        },
      },
    ],
  });
  return Buffer.from(answer).toString();
}
