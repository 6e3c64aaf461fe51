/**
 * Signals that ask this process to stop. The first one aborts, so that everything is put in order; the second ends the
 * process at once.
 *
 * `process.on`, never `once`: a listener of `once` is gone while it runs. The library that starts processes then finds
 * its own listener alone, takes that for a program without clean-up, and ends us by the same signal.
 */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** npm passes on what the terminal has sent to all of us already. */
const SAME_PRESS_MS = 1000;

export function abortOnSignals(
  controller: AbortController,
  signals: readonly StopSignal[],
  reasonOf: (signal: StopSignal) => unknown,
): void {
  let firstAt = 0;
  for (const signal of signals)
    process.on(signal, () => {
      if (controller.signal.aborted) {
        // As shells count: 128 and the number of the signal.
        if (performance.now() - firstAt > SAME_PRESS_MS) process.exit(signal === 'SIGINT' ? 130 : 143);
        return;
      }
      firstAt = performance.now();
      controller.abort(reasonOf(signal));
    });
}
