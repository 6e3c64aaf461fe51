/** Where VM tests find the release and leave what they make. */
import {join} from 'node:path';
import type {BaseImage} from '../../../qemu/disk.ts';
import {releaseFolder} from '../../support/release.ts';

const OUT = join(import.meta.dirname, '../../../out');

/** Consoles of machines that failed. */
export const LOG_FOLDER = join(OUT, 'test-logs');

/** Overlays and saved guests: beside the release, because they can be large. */
export const GUEST_FOLDER = join(OUT, 'test-guests');

export function releaseImage(): BaseImage {
  return {path: join(releaseFolder(), 'disk.raw'), format: 'raw'};
}

/** A test's name as a file name. */
export function fileNameOf(testName: string): string {
  return testName
    .replaceAll(/[^\w.-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 120);
}
