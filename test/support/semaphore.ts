/** Semaphores of all kinds, for property tests. */
import {
  MAX_EXPIRY_SECONDS,
  type Semaphore,
  type SemaphoreHolder,
  compareIds,
  isId,
  tidyText,
} from '../../formats/semaphore/types.ts';
import {fc} from './property.ts';

/** Of characters that are hard on keys, documents and terminals. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  return fc.string({
    maxLength,
    unit: fc.constantFrom('a', 'Z', '0', ' ', '%', '/', '+', '"', '\t', 'ä', '☺', '𝄞', '\u2028'),
  });
}

const id = fc.oneof(
  {weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'e')},
  anyText(40).filter(isId),
);
const words = fc.option(anyText(200).map(tidyText));
const extra = fc.oneof({weight: 3, arbitrary: fc.constant({})}, fc.constant({rack: [7, null]}));

const holder: fc.Arbitrary<SemaphoreHolder> = fc.record(
  {
    id,
    since: fc.option(fc.integer({min: 0, max: 4e12})),
    reason: words,
    version: words,
    isKept: fc.boolean(),
    extra,
  },
  {noNullPrototype: true},
);

export const anySemaphore: fc.Arbitrary<Semaphore> = fc.record(
  {
    max: fc.integer({min: 0, max: 6}),
    holders: fc
      .uniqueArray(holder, {maxLength: 8, selector: (each) => each.id})
      .map((list) => list.sort((a, b) => compareIds(a.id, b.id))),
    expirySeconds: fc.option(fc.integer({min: 1, max: MAX_EXPIRY_SECONDS})),
    extra,
    ownExtra: extra,
  },
  {noNullPrototype: true},
);
