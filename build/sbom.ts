/** The software bill of materials: every package whose files are in the image. */
import {encodeSpdx} from '../formats/spdx.ts';
import type {Definition} from './definition.ts';
import type {PackageLock} from './lock.ts';

export function encodeSbom(definition: Definition, lock: PackageLock): string {
  return encodeSpdx([definition.id, lock.os.length]);
}
