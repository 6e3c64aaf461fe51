/**
 * Settings of the health checks: variables of /etc/caisson/health.conf, which systemd reads for the unit. Rejected: keys
 * in update.conf, because whoever writes a wrong value there should lose updates at worst, not a release that is fine;
 * here a wrong value costs a warning, and the default takes its place.
 */
export interface HealthSettings {
  /** From the start of the checks until they have failed. */
  deadlineMs: number;
  /** Of one run of one executable of the operator. */
  executableTimeoutMs: number;
  /** Units whose state says nothing about the release. */
  ignoredUnits: readonly string[];
}

/** Five minutes: a first boot in emulation needs two. */
const DEFAULT_DEADLINE_S = 300;
/** TimeoutStartSec of caisson-health.service lies above the largest. */
const DEADLINE_S = {min: 10, max: 900};
const DEFAULT_EXECUTABLE_TIMEOUT_S = 60;
const EXECUTABLE_TIMEOUT_S = {min: 1, max: 600};
const UNIT_NAME = /^[\w:.@\\-]{1,255}$/;
const MAX_IGNORED_UNITS = 100;

/** `warn` hears of every value that is not used. */
export function parseHealthSettings(
  variables: Readonly<Record<string, string | undefined>>,
  warn: (text: string) => void,
): HealthSettings {
  const seconds = (name: string, fallback: number, {min, max}: {min: number; max: number}): number => {
    const text = variables[name];
    if (text === undefined || text === '') return fallback;
    const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    warn(
      `${name}=${text.slice(0, 100)} is not a number of seconds from ${min} to ${max}; ${fallback} is used`,
    );
    return fallback;
  };
  const units = (variables['HEALTH_IGNORE_UNITS'] ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const good = units.filter((name) => UNIT_NAME.test(name)).slice(0, MAX_IGNORED_UNITS);
  if (good.length < units.length)
    warn(`HEALTH_IGNORE_UNITS names ${units.length - good.length} that are no units, or too many`);
  return {
    deadlineMs: 1000 * seconds('HEALTH_DEADLINE', DEFAULT_DEADLINE_S, DEADLINE_S),
    executableTimeoutMs:
      1000 * seconds('HEALTH_EXECUTABLE_TIMEOUT', DEFAULT_EXECUTABLE_TIMEOUT_S, EXECUTABLE_TIMEOUT_S),
    ignoredUnits: good,
  };
}
