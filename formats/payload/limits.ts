/**
 * How much of anything a payload may hold. A host reads these numbers from a file that it does not trust yet, so each
 * bounds memory or time before a signature was checked; a payload beyond one of them is refused, never cut.
 */
import {MIB} from '../units.ts';

/** 2 GiB in chunks of 2 MiB need some 150 KiB; a delta of a hundred thousand operations stays below 12 MiB. */
export const MAX_MANIFEST_BYTES = 16 * MIB;
/** Eight signatures of 8192-bit keys need 8 KiB. */
export const MAX_SIGNATURES_BYTES = 64 * 1024;
/** Old and new key, and room for a second party; each costs the host a public-key operation for each trusted key. */
export const MAX_SIGNATURES = 8;
/** RSA below is within reach of those with money; above, a check takes longer than anyone gains. */
export const MIN_KEY_BITS = 2048;
export const MAX_KEY_BITS = 8192;
export const MAX_PARTITIONS = 32;
/** Of all partitions together. As values they take some 100 bytes each. */
export const MAX_OPERATIONS = 100_000;
export const MAX_EXTENTS = 400_000;
/** 1 TiB: far above any slot, and every offset stays an exact number. */
export const MAX_PARTITION_BYTES = 2 ** 40;
/** A host holds one blob in memory, because it writes nothing of it before the hash matched. */
export const MAX_BLOB_BYTES = 32 * MIB;
/** Longest PRODUCT/ARCHITECTURE/VERSION, and the text of others in its place. */
export const MAX_VERSION_BYTES = 256;
