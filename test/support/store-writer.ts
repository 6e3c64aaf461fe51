/**
 * Writes batches into a store until it is killed, and says the number of each when it is kept. Each batch has as many
 * machines as events, all with its number, so that half of one can be told.
 */
import {saveBatch} from '../../server/store/machines.ts';
import {openStore} from '../../server/store/store.ts';
import {batchOf, placeOf} from './store-samples.ts';

const [place = '', groupId = ''] = process.argv.slice(2);
const store = await openStore(placeOf(place), {
  now: Date.now(),
  onLost: (error) => {
    throw error;
  },
  signal: new AbortController().signal,
});
for (let number = 1; ; number += 1) {
  await saveBatch(store.database, batchOf(groupId, number));
  process.stdout.write(`kept ${number}\n`);
}
