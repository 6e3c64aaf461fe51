/** Signed channels in the store of the release server. */
import type {Database} from '../store/sql.ts';
import type {SignedChannels} from './signer.ts';

export function storedChannels(database: Database): SignedChannels {
  return {
    async read(name) {
      const row = await database
        .selectFrom('signed_channels')
        .select('envelope')
        .where('name', '=', name)
        .executeTakeFirst();
      return row === undefined ? null : Buffer.from(row.envelope);
    },
    async write(name, serial, bytes, now) {
      const row = {serial, envelope: Buffer.from(bytes).toString('utf8'), signed_at: now};
      await database
        .insertInto('signed_channels')
        .values({name, ...row})
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute();
    },
  };
}
