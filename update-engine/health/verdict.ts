/** What one check found, and the pure judgements over what the world said. */
import {z} from '../../formats/schema.ts';

export interface Verdict {
  passed: boolean;
  /** For people: what is wrong, or what was found; one line, bounded. */
  detail: string;
}

export interface UnitState {
  name: string;
  /** ActiveState and SubState of systemd. */
  active: string;
  sub: string;
  /** File that the unit comes from; empty for one that systemd made up. */
  path: string;
}

/** Units of the release lie here; what an operator or a generator adds lies elsewhere. */
const OWN_UNITS = '/usr/lib/systemd/system/';
/**
 * The check itself is starting while it looks. What the operator's cloud-config asks for in vain is no fault of the
 * release, and may take minutes.
 */
const ITSELF = new Set([
  'caisson-health.service',
  'caisson-mark-good.service',
  'caisson-rollback.service',
  'caisson-cloudinit.service',
]);
const MAX_NAMED = 5;

/**
 * No unit of the release has failed, and none is still on its way: one that will fail in a minute must not pass now.
 * Units of the operator do not count: the release is on trial, not they. Those that are `waiting` may still be on their
 * way: they wait for other machines.
 */
export function judgeUnits(
  units: readonly UnitState[],
  ignored: readonly string[],
  waiting: readonly string[] = [],
): Verdict {
  const own = units.filter(
    ({name, path}) => path.startsWith(OWN_UNITS) && !ITSELF.has(name) && !ignored.includes(name),
  );
  const failed = own.filter(({active}) => active === 'failed').map(({name}) => name);
  const starting = own
    .filter(({active, name}) => active === 'activating' && !waiting.includes(name))
    .map(({name, sub}) => `${name} (${sub})`);
  if (failed.length > 0) return {passed: false, detail: `failed: ${listNames(failed)}`};
  if (starting.length > 0) return {passed: false, detail: `still starting: ${listNames(starting)}`};
  return {passed: true, detail: ''};
}

/** Properties of update-engine.service, as `systemctl show` has them. */
export interface EngineState {
  loadState: string;
  unitFileState: string;
  active: string;
  sub: string;
  restarts: number;
  /** Milliseconds since it became active, null when it is not. */
  activeForMs: number | null;
}

/** An engine that dies right after it said that it is ready must not count as one that runs. */
export const ENGINE_SETTLES_MS = 5_000;

export function judgeEngine({
  loadState,
  unitFileState,
  active,
  sub,
  restarts,
  activeForMs,
}: EngineState): Verdict {
  // Switched off on purpose; that no release can be blamed for.
  if (loadState === 'masked' || unitFileState === 'disabled')
    return {
      passed: true,
      detail: `switched off on this host (${loadState === 'masked' ? 'masked' : 'disabled'})`,
    };
  if (loadState !== 'loaded') return {passed: false, detail: `update-engine.service is ${loadState}`};
  const times = restarts === 0 ? '' : `, started again ${restarts} times`;
  if (active !== 'active' || activeForMs === null)
    return {passed: false, detail: `update-engine.service is ${active} (${sub})${times}`};
  if (activeForMs < ENGINE_SETTLES_MS)
    return {passed: false, detail: `update-engine.service runs for ${activeForMs} ms only${times}`};
  return {passed: true, detail: ''};
}

const linksSchema = z.object({
  Interfaces: z
    .array(
      z.object({
        Name: z.string().max(64),
        Type: z.string().max(64).default(''),
        AdministrativeState: z.string().max(64),
        OperationalState: z.string().max(64),
      }),
    )
    .max(10_000),
});

/** `json` is the answer of `networkctl list --json=short`. */
export function judgeLinks(json: string): Verdict {
  const parsed = linksSchema.safeParse(parseJson(json));
  if (!parsed.success) return {passed: false, detail: 'networkctl gave no list of links'};
  const managed = parsed.data.Interfaces.filter(
    ({Type, AdministrativeState}) => Type !== 'loopback' && AdministrativeState !== 'unmanaged',
  );
  if (managed.length === 0) return {passed: true, detail: 'no link is managed'};
  const up = managed.find(
    ({AdministrativeState, OperationalState}) =>
      AdministrativeState === 'configured' && /^(routable|degraded|enslaved)$/.test(OperationalState),
  );
  if (up !== undefined) return {passed: true, detail: `${up.Name} is ${up.OperationalState}`};
  const states = managed.map(
    ({Name, AdministrativeState, OperationalState}) =>
      `${Name} is ${AdministrativeState}, ${OperationalState}`,
  );
  return {passed: false, detail: `no link is configured: ${listNames(states)}`};
}

/** `systemctl list-units --output=json`: names only; the rest is asked for by `systemctl show`. */
const unitListSchema = z.array(z.object({unit: z.string().min(1).max(256)})).max(10_000);

/** Throws SyntaxError or ZodError. */
export function parseUnitList(json: string): string[] {
  return unitListSchema.parse(JSON.parse(json)).map(({unit}) => unit);
}

/** Blocks of KEY=VALUE lines, one block for each unit, an empty line between. */
export function parseProperties(text: string): Map<string, string>[] {
  return text
    .split(/\n\n+/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const lines = block.split('\n').filter((line) => line.includes('='));
      return new Map(
        lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
    });
}

function listNames(names: readonly string[]): string {
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return `${names.slice(0, MAX_NAMED).join(', ')}${more}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
