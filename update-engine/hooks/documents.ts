/** What the engine asks hooks.mjs for, and what that answers. Both live in /run: nothing of them survives a boot. */
import {readFile} from 'node:fs/promises';
import {z} from '../../formats/schema.ts';

const word = z.string().max(4096);
/** Tells an answer from one of before. */
const id = z.string().max(100);

export const hooksRequestSchema = z.strictObject({
  id,
  /** Of each hook. */
  timeoutMs: z.int().min(1),
  /** What hooks find in their environment. */
  reason: word,
  version: word,
  previousVersion: word,
});

export const warnRequestSchema = z.strictObject({
  id,
  text: word,
});

export const hooksResultSchema = z.strictObject({
  id,
  /** Those that ran, in order; of `pre-reboot` none follows one that failed. */
  hooks: z
    .array(z.strictObject({name: word, passed: z.boolean(), detail: word, seconds: z.number()}))
    .max(1000),
  /** Why there is nothing to say of them; null when they ran. */
  problem: word.nullable(),
});

export const warnResultSchema = z.strictObject({
  id,
  /** Terminals that the text was written to. */
  reached: z.array(word).max(10_000),
  problem: word.nullable(),
});

export type HooksRequest = z.infer<typeof hooksRequestSchema>;
export type WarnRequest = z.infer<typeof warnRequestSchema>;
export type HooksResult = z.infer<typeof hooksResultSchema>;
export type WarnResult = z.infer<typeof warnResultSchema>;

/** Throws what reading throws, SyntaxError and z.ZodError. */
export async function readDocument<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(JSON.parse(await readFile(path, 'utf8')));
}
