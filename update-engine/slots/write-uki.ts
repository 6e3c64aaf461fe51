/** The UKI of a slot on the ESP: executes what formats/fat plans, and reads back what the firmware would read. */
import {createHash} from 'node:crypto';
import {type ByteSource, readExactly} from '../../formats/byte-source.ts';
import {fatMoment} from '../../formats/fat/entry-writing.ts';
import {surveyFat} from '../../formats/fat/survey.ts';
import {openFat} from '../../formats/fat/volume.ts';
import {type FatStep, planReplace, roomFor} from '../../formats/fat/write-plan.ts';
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import {ukiPath} from '../../formats/slot/esp-paths.ts';
import {SlotError} from './errors.ts';
import {type Target, sourceOfTarget} from './target.ts';

const CHUNK_BYTES = 1 << 20;

export interface UkiFile {
  source: ByteSource;
  sha256: Uint8Array;
}

/**
 * Puts a UKI in place of the one that the slot has. The slot must have been prepared: a power cut may leave a torn
 * entry of this file. Throws FatError 'no-room' or 'damaged', SlotError 'wrong-content' when the source does not hash
 * to what it should.
 */
export async function writeUki(
  esp: Target,
  letter: SlotLetter,
  uki: UkiFile,
  options: {now: number; signal: AbortSignal},
): Promise<void> {
  const path = ukiPath(letter);
  const survey = await surveyFat(sourceOfTarget(esp), path);
  const {bytes} = uki.source;
  await runFatSteps(
    esp,
    planReplace(survey, path, {bytes, modified: fatMoment(options.now)}),
    uki.source,
    options.signal,
  );
}

/** Reads the UKI back through the directory. Throws SlotError 'wrong-content'. */
export async function checkUki(
  esp: Target,
  letter: SlotLetter,
  sha256: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  await esp.settle();
  const path = ukiPath(letter);
  const volume = await openFat(sourceOfTarget(esp));
  const hash = await hashOf(volume.open(await volume.find(path)), signal);
  if (hash.equals(sha256)) return;
  throw new SlotError(
    'wrong-content',
    `/${path} reads back with SHA-256 ${hash.toString('hex')}, not ${Buffer.from(sha256).toString('hex')}`,
    {hint: 'the disk may be failing; see its SMART values'},
  );
}

/** How large a UKI may be, beside what is there now. Throws FatError 'damaged'. */
export async function roomForUki(esp: Target, letter: SlotLetter): Promise<number> {
  return roomFor(await surveyFat(sourceOfTarget(esp), ukiPath(letter)));
}

/** Executes a plan in its order. */
export async function runFatSteps(
  target: Target,
  steps: readonly FatStep[],
  content: ByteSource,
  signal: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    signal.throwIfAborted();
    if (step.kind === 'flush') await target.flush();
    else if (step.kind === 'write') await target.writeAt(step.offset, step.bytes);
    else {
      for (let done = 0; done < step.length; done += CHUNK_BYTES) {
        signal.throwIfAborted();
        const length = Math.min(CHUNK_BYTES, step.length - done);
        const chunk = await readExactly(content, step.from + done, length, 'new file');
        await target.writeAt(step.offset + done, chunk);
      }
    }
  }
}

/** SHA-256 of a whole source. */
export async function hashOf(source: ByteSource, signal: AbortSignal): Promise<Buffer> {
  const hash = createHash('sha256');
  for (let at = 0; at < source.bytes; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    hash.update(await readExactly(source, at, Math.min(CHUNK_BYTES, source.bytes - at), 'file'));
  }
  return hash.digest();
}
