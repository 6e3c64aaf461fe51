/**
 * What a server answers when it is asked for somebody's public keys: GitHub's JSON (`GET /users/NAME/keys`), or lines as
 * in authorized_keys. All of it must be keys: an error page that comes with status 200 lets nobody in.
 */
import {CodedError} from '../errors.ts';
import {z} from '../schema.ts';
import {readKeyLine} from '../ssh-public-key.ts';

export type KeyAnswerErrorCode = 'not-keys' | 'too-many';
export class KeyAnswerError extends CodedError<KeyAnswerErrorCode> {}

/** GitHub gives 30 at once. */
const MAX_KEYS = 200;
export const MAX_KEY_ANSWER_BYTES = 1 << 20;
const answerSchema = z.array(z.object({key: z.string().max(8192)}));

/** One line for each key. Throws KeyAnswerError, which names `where` the answer came from. */
export function parseKeyAnswer(data: Uint8Array, where: string): readonly string[] {
  const text = Buffer.from(data).toString('utf8').trim();
  const lines = /^\[/.test(text)
    ? fromJson(text, where)
    : text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines.length > MAX_KEYS)
    throw new KeyAnswerError('too-many', `${where} answered ${lines.length} keys, more than ${MAX_KEYS}`);
  return lines.map((line, index) => {
    const key = readKeyLine(line, {options: false});
    if (key.kind === 'key') return key.line;
    throw new KeyAnswerError('not-keys', `${where}: answer ${index + 1} is ${key.problem}`);
  });
}

function fromJson(text: string, where: string): string[] {
  try {
    return answerSchema.parse(JSON.parse(text)).map(({key}) => key);
  } catch (error) {
    throw new KeyAnswerError('not-keys', `${where} did not answer a list of keys`, {cause: error});
  }
}
