/** What of the events of a host is kept. */
import {EVENT_RESULTS, EVENT_TYPES, maskErrorCode} from '../../formats/omaha/codes.ts';
import {type OmahaEvent, type RequestApp, versionBefore} from '../../formats/omaha/request.ts';
import type {StoredEvent} from '../store/machines.ts';
import {isStorableInteger, storable} from './texts.ts';

export function eventsToKeep(app: RequestApp, groupId: string, at: number): readonly StoredEvent[] {
  const {machineId, version} = app;
  return app.events
    .filter((event) => isNews(event) && isStorableInteger(event.type) && isStorableInteger(event.result))
    .map(({type, result, errorCode, previousVersion}) => ({
      at,
      machineId,
      groupId,
      version,
      type,
      result,
      errorCode: errorCode === null ? null : maskErrorCode(errorCode),
      previousVersion: previousVersion === null ? null : storable(previousVersion),
    }));
}

/**
 * Every check of a client of the lineage carries the event of a machine that came up, with the version before when that
 * was another one. Without it there is nothing to tell: kept, it would be a row for every check there ever was.
 */
function isNews(event: OmahaEvent): boolean {
  const cameUp = event.type === EVENT_TYPES.UPDATE_COMPLETE && event.result === EVENT_RESULTS.SUCCESS_REBOOT;
  return !cameUp || versionBefore(event) !== null;
}
