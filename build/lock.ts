/**
 * packages.lock.json: exactly which packages a build uses. Two builds from one lock are the same bytes.
 *
 * The lock names no mirror: `filename` is the path below any Debian mirror's base (its security archive for the
 * packages marked so), and the SHA-256 decides.
 */
import {CodedError} from '../formats/errors.ts';
import {describeIssues, z} from '../formats/schema.ts';

export class LockError extends CodedError<'bad-lock' | 'lock-drift'> {}

const packageSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  architecture: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().positive(),
  filename: z.string().regex(/^(?!.*\.\.)[\w.+~/:%-]+\.deb$/, 'not the path of a package below a mirror'),
  archive: z.enum(['main', 'security']),
  source: z.string(),
  sourceVersion: z.string(),
});

const lockSchema = z.strictObject({
  format: z.literal('caisson-lock-1'),
  /** Seconds since 1970: the newest date of the archive's indexes; every time stamp of the image is this one. */
  sourceDate: z.int().positive(),
  suites: z.array(z.string()),
  /** What was asked for, so that a lock that does not fit the definition is refused. */
  requested: z.strictObject({
    os: z.array(z.string()),
    unpack: z.array(z.string()),
    kernel: z.string(),
    tools: z.array(z.string()),
  }),
  os: z.array(packageSchema).min(1),
  unpack: z.array(packageSchema),
  kernel: z.array(packageSchema).length(1),
  tools: z.array(packageSchema).min(1),
});

export type LockedPackage = z.infer<typeof packageSchema>;
export type PackageLock = z.infer<typeof lockSchema>;
export type PackageSet = 'os' | 'unpack' | 'kernel' | 'tools';

/** Larger than any real lock by an order of magnitude. */
export const MAX_LOCK_BYTES = 8 << 20;

export function parseLock(text: string, path: string): PackageLock {
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
  requested: PackageLock['requested'],
  path: string,
): void {
  const differences = (['os', 'unpack', 'tools'] as const).flatMap((set) => {
    const [locked, wanted] = [new Set(lock.requested[set]), new Set(requested[set])];
    const added = [...wanted].filter((name) => !locked.has(name)).map((name) => `+${name}`);
    const gone = [...locked].filter((name) => !wanted.has(name)).map((name) => `-${name}`);
    return [...added, ...gone].map((change) => `${set} ${change}`);
  });
  if (lock.requested.kernel !== requested.kernel)
    differences.push(`kernel ${lock.requested.kernel} -> ${requested.kernel}`);
  if (differences.length > 0) {
    throw new LockError(
      'lock-drift',
      `${path} was made for another list of packages: ${differences.join(', ')}`,
      {
        hint: 'build once without --lock to make a new lock from out/VERSION/packages.lock.json',
      },
    );
  }
}
