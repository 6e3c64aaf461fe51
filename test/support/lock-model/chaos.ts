/**
 * Breaks a cluster at random, and mends it: members die as machines do, links are cut, fall silent, or carry questions
 * but no answers. At times more than half is gone, so that there are moments in which nobody can be answered.
 */
import type {Random} from '../../fuzz/random.ts';
import type {LinkState} from '../link.ts';
import type {LinkedCluster} from './cluster.ts';

export interface ChaosTally {
  kills: number;
  linkCuts: number;
}

export interface ChaosOptions {
  readonly cluster: LinkedCluster;
  readonly random: Random;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly isOver: () => boolean;
}

/** Long enough for an election, short enough for many of them. */
const LONGEST_FAULT_MS = 2500;
const LONGEST_PEACE_MS = 5000;
const STATES: readonly LinkState[] = ['cut', 'silent', 'deaf'];

/** Until it is over; then everything is whole again. */
export async function causeChaos({cluster, random, sleep, isOver}: ChaosOptions): Promise<ChaosTally> {
  const tally = {kills: 0, linkCuts: 0};
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  while (!isOver()) {
    await sleep(random.below(LONGEST_PEACE_MS));
    // One time in five two things break at once.
    const victims = random.below(5) === 0 ? 2 : 1;
    const mend: (() => Promise<void>)[] = [];
    for (let index = 0; index < victims; index += 1) {
      const member = pick(cluster.members);
      if (random.below(2) === 0) {
        if (!member.process.isRunning) continue;
        tally.kills += 1;
        await member.process.kill();
        mend.push(() => member.process.start());
      } else {
        const link = random.below(3) === 0 ? member.peers : member.clients;
        tally.linkCuts += 1;
        link.set(pick(STATES));
        mend.push(() => Promise.resolve(link.set('open')));
      }
    }
    await sleep(random.below(LONGEST_FAULT_MS));
    // A member gets ready only with the others, so they start together.
    await Promise.all(mend.map((each) => each()));
  }
  await cluster.heal();
  return tally;
}
