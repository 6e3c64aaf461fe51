/**
 * The one importer of fast-check: property tests take `fc` from here, so that every run uses the same seed.
 *
 * A fixed seed keeps a failing run repeatable and a green one meaningful; `CAISSON_SEED` explores another corner and
 * `CAISSON_RUNS` looks longer. The seed is printed at the start of a CI run and with every counterexample.
 */
import * as fc from 'fast-check';

const DEFAULT_SEED = 20_251_109;
const DEFAULT_RUNS = 100;

const seed = readInteger('CAISSON_SEED', DEFAULT_SEED);
const numRuns = readInteger('CAISSON_RUNS', DEFAULT_RUNS);

fc.configureGlobal({
  seed,
  numRuns,
  reporter(details) {
    const message = fc.defaultReportMessage(details);
    if (message !== undefined) {
      const cause = details.errorInstance;
      const reason = cause instanceof Error ? `\nReason: ${cause.stack ?? cause.message}` : '';
      throw new Error(
        `${message}${reason}\nTo repeat: CAISSON_SEED=${details.seed} CAISSON_RUNS=${numRuns}`,
        {
          cause,
        },
      );
    }
  },
});
if (process.env['CI'] !== undefined) console.error(`property tests use CAISSON_SEED=${seed}`);

export {fc};

/** Bytes with a few of them changed, cut off or added: what a careless or hostile writer may hand to a decoder. */
export function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const position = fc.nat({max: Math.max(0, bytes.length - 1)});
  const change = fc.record({position, value: fc.nat({max: 255})});
  return fc
    .record({
      changes: fc.array(change, {maxLength: 8}),
      length: fc.oneof({weight: 3, arbitrary: fc.constant(bytes.length)}, position),
      tail: fc.oneof({weight: 3, arbitrary: fc.constant(new Uint8Array())}, fc.uint8Array({maxLength: 64})),
    })
    .map(({changes, length, tail}) => {
      const copy = Uint8Array.from(bytes);
      for (const {position: at, value} of changes) if (at < copy.length) copy[at] = value;
      return new Uint8Array(Buffer.concat([copy.subarray(0, length), tail]));
    });
}

/** Runs `action` and lets nothing but the given error class pass as a failure. */
export function succeedsOrThrows(
  errorClass: abstract new (...args: never[]) => Error,
  action: () => unknown,
): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof errorClass)) throw error;
  }
}

function readInteger(name: string, fallback: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  if (!/^-?\d{1,10}$/.test(text)) throw new Error(`${name} must be an integer, got ${text}`);
  return Number(text);
}
