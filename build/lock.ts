/**
 * packages.lock.json: exactly which packages a build uses. Two builds from one lock are the same bytes.
 *
 * The lock names no mirror: `filename` is the path below any Debian mirror's base (its security archive for the
 * packages marked so), and the SHA-256 decides.
 */
import {CodedError} from '../formats/errors.ts';
import {describeIssues, z} from '../formats/schema.ts';

export class LockError extends CodedError<'bad-lock' | 'lock-drift'> {}

const name = z.string().regex(/^[a-z0-9][a-z0-9+.-]{1,127}$/, 'not the name of a package');
const version = z.string().regex(/^[A-Za-z0-9.+:~-]{1,255}$/, 'not the version of a package');

const packageSchema = z.strictObject({
  name,
  version,
  architecture: z.string().regex(/^(amd64|all)$/, 'neither amd64 nor all'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().positive(),
  filename: z
    .string()
    .max(1024)
    // No part begins with a dot, and nothing can lead to another host.
    .regex(/^pool(\/[\w+~-][\w.+~-]*)+\.deb$/, 'not the path of a package below a mirror'),
  archive: z.enum(['main', 'security']),
  source: name,
  sourceVersion: version,
});

/** A tree has each package once; a second one would silently take the first one's place. */
const packageList = z.array(packageSchema).superRefine((list, context) => {
  const seen = new Set<string>();
  for (const [index, entry] of list.entries()) {
    if (seen.has(entry.name))
      context.addIssue({code: 'custom', path: [index, 'name'], message: `${entry.name} is listed twice`});
    seen.add(entry.name);
  }
});

const lockSchema = z.strictObject({
  format: z.literal('caisson-lock-1'),
  /** Seconds since 1970: the newest date of the archive's indexes; every time stamp of the image is this one. */
  sourceDate: z.int().positive(),
  suites: z.array(z.string()).min(1),
  /** What was asked for, so that a lock that does not fit the definition is refused. */
  requested: z.strictObject({
    os: z.array(z.string()),
    unpack: z.array(z.string()),
    kernel: z.string(),
    tools: z.array(z.string()),
  }),
  os: packageList.min(1),
  unpack: packageList,
  kernel: packageList.length(1),
  tools: packageList.min(1),
});

export type LockedPackage = z.infer<typeof packageSchema>;
export type PackageLock = z.infer<typeof lockSchema>;
export type PackageSet = 'os' | 'unpack' | 'kernel' | 'tools';

/** Larger than any real lock by an order of magnitude. */
export const MAX_LOCK_BYTES = 8 << 20;

export function parseLock(text: string, path: string): PackageLock {
  if (text.length > MAX_LOCK_BYTES)
    throw new LockError(
      'bad-lock',
      `${path} has over ${MAX_LOCK_BYTES} characters, more than any package lock`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LockError('bad-lock', `${path} is not JSON: ${(error as Error).message}`, {cause: error});
  }
  const result = lockSchema.safeParse(value);
  if (!result.success)
    throw new LockError('bad-lock', `${path} is not a package lock: ${describeIssues(result.error)}`);
  return result.data;
}

/** Canonical text: the same lock is always the same bytes. */
export function formatLock(lock: PackageLock): string {
  const byName = (list: readonly LockedPackage[]): LockedPackage[] =>
    [...list].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const {format, sourceDate, suites, requested} = lock;
  const canonical = {
    format,
    sourceDate,
    suites,
    requested,
    os: byName(lock.os),
    unpack: byName(lock.unpack),
    kernel: byName(lock.kernel),
    tools: byName(lock.tools),
  } satisfies PackageLock;
  return `${JSON.stringify(canonical, undefined, 1)}\n`;
}

/** Refuses a lock that was made for another definition. */
export function requireSameRequest(
  lock: PackageLock,
  wanted: Pick<PackageLock, 'requested' | 'suites'>,
  path: string,
): void {
  const differences = (['os', 'unpack', 'tools'] as const).flatMap((set) =>
    describeChanges(set, lock.requested[set], wanted.requested[set]),
  );
  differences.push(...describeChanges('suites', lock.suites, wanted.suites));
  if (lock.requested.kernel !== wanted.requested.kernel)
    differences.push(`kernel ${lock.requested.kernel} -> ${wanted.requested.kernel}`);
  if (differences.length === 0) return;
  throw new LockError(
    'lock-drift',
    `${path} was made for another list of packages: ${differences.join(', ')}`,
    {hint: 'build once without --lock to make a new lock from out/VERSION/packages.lock.json'},
  );
}

function describeChanges(what: string, locked: readonly string[], wanted: readonly string[]): string[] {
  const added = wanted.filter((each) => !locked.includes(each)).map((each) => `+${each}`);
  const gone = locked.filter((each) => !wanted.includes(each)).map((each) => `-${each}`);
  return [...added, ...gone].map((change) => `${what} ${change}`);
}
