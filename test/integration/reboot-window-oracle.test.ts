/** Windows around every change of clocks from 2024 to 2027, by zdump(8) as the judge of what clocks show. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {openingAt} from '../../formats/reboot-window/opening.ts';
import {offsetAt, wallTime, weekdayOf} from '../../formats/reboot-window/zone.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

/** Those with changes of every kind, in every part of the world, and some without any. */
const ZONES = [
  ...[
    'UTC',
    'Europe/Berlin',
    'Europe/London',
    'Europe/Dublin',
    'Europe/Lisbon',
    'Europe/Chisinau',
    'Asia/Beirut',
  ],
  ...['Asia/Jerusalem', 'Africa/Cairo', 'Africa/Casablanca', 'Africa/Johannesburg', 'Atlantic/Azores'],
  ...['America/New_York', 'America/Chicago', 'America/Los_Angeles', 'America/St_Johns', 'America/Havana'],
  ...['America/Santiago', 'America/Nuuk', 'America/Sao_Paulo', 'America/Phoenix', 'Antarctica/Troll'],
  ...['Australia/Lord_Howe', 'Australia/Sydney', 'Australia/Adelaide', 'Australia/Darwin', 'Australia/Eucla'],
  ...[
    'Asia/Kathmandu',
    'Asia/Kolkata',
    'Asia/Tokyo',
    'Pacific/Auckland',
    'Pacific/Chatham',
    'Pacific/Kiritimati',
  ],
  ...['Pacific/Norfolk', 'Pacific/Marquesas', 'Pacific/Apia', 'Etc/GMT+12', 'Etc/GMT-14'],
];
const FROM = Date.UTC(2024, 0);
const TO = Date.UTC(2028, 0);
const DAY = 86_400_000;
const HALF_HOUR = 1_800_000;

interface Stretch {
  /** From this instant on; milliseconds since 1970. */
  readonly from: number;
  readonly offset: number;
}

/** How far clocks are ahead of UTC, stretch by stretch. */
async function stretchesOf(zone: string): Promise<readonly Stretch[]> {
  const {stdout} = await exec(['zdump', '-v', '-c', '2023,2029', zone], {env: {LC_ALL: 'C'}});
  const lines = [...stdout.matchAll(/^\S+ +(.+) UTC? = .* gmtoff=(-?\d+)$/gm)];
  const points = lines.map(([, when = '', seconds = '']) => ({
    from: Date.parse(`${when} UTC`),
    offset: 1000 * Number(seconds),
  }));
  // In pairs: the last second before a change, and the first after it.
  const changes = points.filter(
    ({from, offset}, index) => index > 0 && points[index - 1]?.offset !== offset && !Number.isNaN(from),
  );
  const [first] = points;
  if (first !== undefined && changes.length > 0) return [{...first, from: -Infinity}, ...changes];
  const {stdout: now} = await exec(['date', '+%z'], {env: {TZ: zone}});
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)/.exec(now) ?? [];
  const offset = (sign === '-' ? -60_000 : 60_000) * (60 * Number(hours) + Number(minutes));
  return [{from: -Infinity, offset}];
}

/** By going through the stretches: the first in which clocks show it, else where it was jumped over. */
function expectedInstant(wall: number, stretches: readonly Stretch[]): number {
  for (const [index, {from, offset}] of stretches.entries()) {
    const end = stretches[index + 1]?.from ?? Infinity;
    if (wall - offset >= end) continue;
    return Math.max(wall - offset, from);
  }
  throw new Error('the last stretch has no end');
}

describe('windows over changes of clocks', {skip: await skipWithout(['zdump', 'date'], 'libc-bin')}, () => {
  for (const zone of ZONES)
    it(`in ${zone}`, async () => {
      const stretches = await stretchesOf(zone);
      const changes = stretches.filter(({from}) => from > FROM && from < TO);
      const days = new Set(
        [FROM, Date.UTC(2024, 1, 29), ...changes.map(({from}) => from)].flatMap((around) =>
          [-1, 0, 1].map((plus) => Math.floor(around / DAY) + plus),
        ),
      );
      for (const {from, offset} of changes) {
        assert.equal(offsetAt(from, zone), offset, new Date(from).toISOString());
        assert.notEqual(offsetAt(from - 1, zone), offset, new Date(from).toISOString());
      }
      for (const day of days)
        for (let wall = day * DAY; wall < (day + 1) * DAY; wall += HALF_HOUR) {
          const start = expectedInstant(wall, stretches);
          const clock = new Date(wall);
          const window = {
            ...{text: '', days: [weekdayOf(day)], zone, lengthMs: 4 * HALF_HOUR},
            ...{hour: clock.getUTCHours(), minute: clock.getUTCMinutes()},
          };
          const where = `${clock.toISOString()} in ${zone}`;
          const before = openingAt([window], 'UTC', start - 1);
          assert.deepEqual(before, {kind: 'closed', window, opensAt: start}, where);
          const end = start + window.lengthMs;
          for (const instant of [start, end])
            assert.deepEqual(openingAt([window], 'UTC', instant), {kind: 'open', window, until: end}, where);
          assert.equal(openingAt([window], 'UTC', end + 1).kind, 'closed', where);
          assert.equal(wallTime(start, zone) >= wall, true, where);
        }
    });
});
