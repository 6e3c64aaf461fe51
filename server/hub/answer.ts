/**
 * What an app of a request is answered, from the group that it follows: the words of Nebraska's protocol around the
 * verdict of a ledger.
 *
 * One thing differs. Nebraska refuses a host that has to wait with an error, which stock clients report as a failed
 * update. Here it is told `noupdate`, and why in attributes that only our hosts read.
 */
import {type RequestApp} from '../../formats/omaha/request.ts';
import type {ResponseApp, UpdateCheck} from '../../formats/omaha/response.ts';
import {compareVersions, hasVersionPrefix} from '../../formats/version.ts';
import {type CodebaseOf, type OfferedRelease, offerOf, withoutUpdate} from '../omaha.ts';
import type {Hold, Verdict} from '../rollout/verdict.ts';

/** An answer without an update; `status` of the app says why, where it is not `ok`. */
export function refuseApp(app: RequestApp, status: string): ResponseApp {
  return {
    appId: app.appId,
    status,
    ping: app.ping,
    events: app.events.length,
    updateCheck: app.updateCheck === null ? null : withoutUpdate('error-internal'),
  };
}

export function answerApp(app: RequestApp, updateCheck: UpdateCheck | null): ResponseApp {
  return {appId: app.appId, status: 'ok', ping: app.ping, events: app.events.length, updateCheck};
}

export function checkOf(
  verdict: Verdict,
  releases: ReadonlyMap<string, OfferedRelease>,
  codebaseOf: CodebaseOf,
): UpdateCheck {
  if (verdict.kind === 'nothing') return withoutUpdate('noupdate');
  if (verdict.kind === 'hold') return {...withoutUpdate('noupdate'), hold: holdOf(verdict)};
  const release = releases.get(verdict.version);
  // A stepping stone that was withdrawn.
  return release === undefined ? withoutUpdate('noupdate') : offerOf(release, codebaseOf);
}

/**
 * For a host that takes only versions with a prefix which the target does not have: the newest that its channel ever
 * pointed to, and newer than what it runs. It went through its rollout long ago.
 */
export function pinnedRelease(
  {version: running, prefix}: {readonly version: string; readonly prefix: string},
  past: readonly string[],
  releases: ReadonlyMap<string, OfferedRelease>,
): OfferedRelease | undefined {
  return past
    .filter((each) => hasVersionPrefix(each, prefix) && compareVersions(each, running) > 0)
    .sort((a, b) => compareVersions(b, a))
    .flatMap((each) => releases.get(each) ?? [])[0];
}

function holdOf({reason, version, position, earliestAt, detail}: Hold): UpdateCheck['hold'] {
  const notBefore = earliestAt === null ? null : Math.max(0, Math.ceil(earliestAt / 1000));
  return {reason, version, position, notBefore, detail};
}
