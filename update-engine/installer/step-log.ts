/** The steps of an installation, which begin one after the other, as steps of a log, which are functions that end. */
import type {Log} from '../../platform/log.ts';
import type {InstallerStep} from './install.ts';

export interface StepLog {
  /** Ends the step before. */
  begin: (step: InstallerStep) => void;
  /** Of the payload, received. */
  onBytes: (done: number) => void;
  /** All of it went well. Resolves when it was shown. */
  end: () => Promise<void>;
  fail: (error: unknown) => Promise<void>;
}

const TITLES: Readonly<Record<InstallerStep, string>> = {
  wipe: 'Taking away what is on the disk',
  'write-release': 'Writing the release',
  'check-release': 'Reading the release back',
  'write-rest': 'Writing selector, EFI system partition and OEM',
  'check-rest': 'Reading them back',
  commit: 'Writing the partition table',
};

export function stepLog(log: Log, payloadBytes: number): StepLog {
  const ends: {finish: () => void; fail: (error: unknown) => void}[] = [];
  let shown: Promise<void> = Promise.resolve();
  let update: (done: number) => void = () => undefined;
  return {
    begin(step) {
      ends.at(-1)?.finish();
      const over = new Promise<void>((finish, fail) => ends.push({finish, fail}));
      const before = shown;
      const now = log.step(TITLES[step], (progress) => {
        update = (done) => progress.update(done, payloadBytes);
        return over;
      });
      shown = before.then(() => now);
      // Whoever waits for the end hears of a failure; nobody else has to.
      shown.catch(() => undefined);
    },
    onBytes: (done) => update(done),
    async end() {
      ends.at(-1)?.finish();
      await shown;
    },
    async fail(error) {
      ends.at(-1)?.fail(error);
      await shown.catch(() => undefined);
    },
  };
}
