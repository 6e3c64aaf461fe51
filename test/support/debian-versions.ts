import {fc} from './property.ts';

/** Versions from few characters, so that two of them are often nearly the same, which is where order is hard. */
export function debianVersion(): fc.Arbitrary<string> {
  const upstream = fc.stringMatching(/^[0-2][0-2az.+~-]{0,6}[0-2az.+~]?$/);
  const revision = fc.stringMatching(/^[0-2az.+~]{1,5}$/);
  const epoch = fc.option(fc.constantFrom('0', '1', '01', '12'), {nil: undefined, freq: 4});
  return fc
    .record({epoch, upstream, revision: fc.option(revision, {nil: undefined})})
    .filter((parts) => parts.revision !== undefined || !parts.upstream.includes('-'))
    .map((parts) => {
      const head = parts.epoch === undefined ? '' : `${parts.epoch}:`;
      const tail = parts.revision === undefined ? '' : `-${parts.revision}`;
      return `${head}${parts.upstream}${tail}`;
    });
}
