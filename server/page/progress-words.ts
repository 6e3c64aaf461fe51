/** Where one machine is in the rollout of its group, in a sentence. */
import type {Progress} from '../rollout/member.ts';

export function explainProgress(progress: Progress, setbacks: number): string {
  switch (progress.kind) {
    case 'done':
      return 'It runs what its group wants.';
    case 'aside':
      return 'There is nothing for it: its channel is empty, or it takes only versions of another series.';
    case 'waiting':
      return progress.expired === null
        ? 'Its turn has not come, or it has not asked since.'
        : `It was granted ${progress.expired} and nothing was heard of that; it waits for another turn.`;
    case 'lost':
      return `It began to update to ${progress.version}, and was not heard of since.`;
    case 'out':
      return progress.why === 'rolled-back'
        ? 'It came back from the release, and is not granted it again until a person says so.'
        : `It was tried ${setbacks} times, and is not granted the release again until a person says so.`;
    case 'in-flight':
      return IN_FLIGHT[progress.stage].replace('VERSION', progress.version);
  }
}

const IN_FLIGHT = {
  granted: 'It was told to install VERSION, and has not begun.',
  downloading: 'It downloads VERSION.',
  downloaded: 'It has VERSION and writes it to its idle slot.',
  installed: 'VERSION is installed and starts with its next reboot.',
} as const;
