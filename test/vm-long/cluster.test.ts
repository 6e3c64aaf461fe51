/** A cluster updates itself under the reboot lock; and one whose first host comes back from a bad release stands still. */
import assert from 'node:assert/strict';
import {mkdir, rm, symlink} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {describe, it, type TestContext} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {faults, formatDemoReport} from '../../cli/cluster/demo-report.ts';
import type {ClusterStatus, MemberStatus} from '../../cli/cluster/document.ts';
import {type OwnedCluster, withOwnedCluster} from '../../cli/cluster/owner.ts';
import {orderUpdate, ROLLOUT_DEADLINE_MS, rollOut} from '../../cli/cluster/rollout.ts';
import {isRolledOut} from '../../cli/cluster/timeline.ts';
import {withWitness} from '../../cli/cluster/witness.ts';
import {addressForGuest} from '../../cli/demo/host.ts';
import {findRelease} from '../../cli/releases.ts';
import {RELEASE_FILE} from '../../formats/release.ts';
import {DEFAULT_MEMBERS, DEFAULT_MEMORY_MIB} from '../../qemu/cluster/cluster.ts';
import type {Member} from '../../qemu/cluster/member.ts';
import {setupScript} from '../../qemu/cluster/member-setup.ts';
import {PAYLOAD_FILE} from '../../payload/make.ts';
import {promoteRelease} from '../../server/channel-file.ts';
import {openReleaseFolder} from '../../server/releases.ts';
import {serveReleases} from '../../server/serve.ts';
import {firstRelease, readRelease, secondRelease} from '../vm/support/releases.ts';
import {deltaPayload} from '../vm/support/updates.ts';
import {withTestFolder} from '../vm/support/with-machine.ts';

const ASK_EVERY_MS = 2_000;
const UNLOCK_TRIES = 20;
const HEALTH_CHECK = '/etc/caisson/health.d/50-test';

interface Stage extends OwnedCluster {
  /** Of a server that offers release 2. */
  url: string;
  version: string;
  /** The server has no release 2 any more. */
  withdraw: () => Promise<void>;
  say: (text: string) => void;
}

/** Three hosts of release 1 with etcd, and a server that has release 2 for them, as a delta. */
async function withStage(t: TestContext, use: (stage: Stage) => Promise<void>): Promise<void> {
  const [first, second] = [firstRelease(), await secondRelease()];
  const {version} = await readRelease(second);
  const say = (text: string): void => t.diagnostic(text);
  await withTestFolder(t, async (folder) => {
    const served = join(folder, 'served');
    const payload = join(served, version, PAYLOAD_FILE);
    await mkdir(dirname(payload), {recursive: true});
    await symlink(join(second, RELEASE_FILE), join(served, version, RELEASE_FILE));
    await symlink(await deltaPayload(first, second), payload);
    const offer = {version, channel: 'stable', allowDowngrade: false, at: 0} as const;
    await promoteRelease(served, openReleaseFolder(served), offer, t.signal);
    const server = await serveReleases({
      ...{dir: served, host: '127.0.0.1', port: 0, tls: null, publicUrl: null},
      ...{now: () => Date.now(), onLine: say, onAccess: () => undefined},
    });
    t.after(() => server.close(0));
    const cluster = {
      directory: join(folder, 'cluster'),
      release: await findRelease(dirname(first), first),
      ...{members: DEFAULT_MEMBERS, memoryMiB: DEFAULT_MEMORY_MIB, cpus: 2},
      updateSettings: {SERVER: 'disabled', REBOOT_STRATEGY: 'etcd-lock'},
      ...{signal: t.signal, say},
    };
    const url = `${addressForGuest(server.url)}/v1/update/`;
    await withOwnedCluster(cluster, (owned) =>
      use({...owned, url, version, say, withdraw: () => rm(join(served, version), {recursive: true})}),
    );
  });
}

/** A check of the operator that one release does not pass. */
async function failWith(member: Member, version: string): Promise<void> {
  const text = [
    '#!/bin/sh',
    '. /usr/lib/os-release',
    `[ "$VERSION_ID" != ${version} ] || { echo "not with this release" >&2; exit 1; }`,
    '',
  ].join('\n');
  const script = `${setupScript([{path: HEALTH_CHECK, text}])}chmod 0755 ${HEALTH_CHECK}\n`;
  await member.runAsRoot(['sh', '-e', '-s'], script);
}

async function untilStatus(
  {observer, signal}: Stage,
  what: string,
  fits: (status: ClusterStatus) => boolean,
): Promise<ClusterStatus> {
  const until = performance.now() + ROLLOUT_DEADLINE_MS;
  for (;;) {
    const status = await observer.status(signal);
    if (fits(status)) return status;
    if (performance.now() > until) throw new Error(`${what}: not so; last: ${JSON.stringify(status)}`);
    await sleep(ASK_EVERY_MS, undefined, {signal});
  }
}

function statusOf({members}: ClusterStatus, {plan}: Member): MemberStatus {
  const found = members.find(({name}) => name === plan.name);
  assert.ok(found !== undefined);
  return found;
}

function memberAt({cluster}: Stage, index: number): Member {
  const member = cluster.members[index];
  assert.ok(member !== undefined);
  return member;
}

function holdersOf({lock}: ClusterStatus): string[] {
  return lock.kind === 'known' ? lock.holders.map(({name}) => name) : [];
}

function waitingOf({lock}: ClusterStatus): string[] {
  return lock.kind === 'known' ? lock.waiting.map(({name}) => name) : [];
}

/** As a person does it: again, while an etcd on emulated processors does not answer in time. */
async function unlock(member: Member, machineId: string, signal: AbortSignal): Promise<void> {
  const isLate = (error: unknown): boolean => /did not answer in time/.test(String(error));
  for (let left = UNLOCK_TRIES; ; left -= 1) {
    try {
      await member.runAsRoot(['locksmithctl', 'unlock', machineId]);
      return;
    } catch (error) {
      if (left === 0 || !isLate(error)) throw error;
      await sleep(ASK_EVERY_MS, undefined, {signal});
    }
  }
}

describe('a cluster of three', () => {
  it('updates itself one host at a time, and loses neither its majority nor a write', async (t) => {
    await withStage(t, async (stage) => {
      const report = await withWitness(stage, stage.say, (timeline) => rollOut(stage, stage, timeline));
      for (const line of formatDemoReport(report).trimEnd().split('\n')) t.diagnostic(line);
      assert.deepEqual(faults(report), []);
      assert.equal(report.quorum.fewestHealthy, 2);
      assert.equal(report.mostHolders, 1);
      assert.ok(report.writes.acknowledged > 0);
      const inOrder = [...report.members].sort((a, b) => (a.restartedMs ?? 0) - (b.restartedMs ?? 0));
      for (const [index, {name, restartedMs}] of inOrder.entries()) {
        const before = inOrder[index - 1];
        assert.ok(restartedMs !== null, `${name} restarted`);
        assert.ok(
          before === undefined || (before.goodMs !== null && before.goodMs <= restartedMs),
          `${name} restarted before ${before?.name} was found good`,
        );
      }
    });
  });

  it('stands still when a host came back from the release, until its lock is freed', async (t) => {
    await withStage(t, async (stage) => {
      const [bad, good, other] = [memberAt(stage, 0), memberAt(stage, 1), memberAt(stage, 2)];
      await failWith(bad, stage.version);
      await orderUpdate(bad, stage.url);
      await untilStatus(stage, 'the host takes the lock', (status) =>
        holdersOf(status).includes(bad.plan.name),
      );
      await Promise.all([orderUpdate(good, stage.url), orderUpdate(other, stage.url)]);
      const stopped = await untilStatus(
        stage,
        'it rolls back and keeps the lock, the others wait',
        (status) => {
          const {host, silent} = statusOf(status, bad);
          return (
            silent === null &&
            host?.lastUpdate?.outcome === 'rolled-back' &&
            host.isGood === true &&
            status.lock.kind === 'known' &&
            status.lock.holders.some(({isKept}) => isKept) &&
            waitingOf(status).length === 2
          );
        },
      );
      assert.deepEqual(holdersOf(stopped), [bad.plan.name]);
      for (const member of stage.cluster.members)
        assert.notEqual(statusOf(stopped, member).host?.version, stage.version);
      for (const member of [good, other])
        assert.match(statusOf(stopped, member).host?.waiting.join() ?? '', /lock/);

      const machineId = statusOf(stopped, bad).host?.machineId ?? '';
      await unlock(good, machineId, t.signal);
      const done = await untilStatus(stage, 'the others update', (status) => {
        const others = status.members.filter(({name}) => name !== bad.plan.name);
        return isRolledOut({...status, members: others}, stage.version);
      });
      assert.notEqual(statusOf(done, bad).host?.version, stage.version);
      assert.equal(statusOf(done, bad).host?.isGood, true);
    });
  });

  it('lets go of a release that is withdrawn: nobody else starts it', async (t) => {
    await withStage(t, async (stage) => {
      const [bad, good] = [memberAt(stage, 0), memberAt(stage, 1)];
      await failWith(bad, stage.version);
      await orderUpdate(bad, stage.url);
      await untilStatus(stage, 'the host takes the lock', (status) =>
        holdersOf(status).includes(bad.plan.name),
      );
      await orderUpdate(good, stage.url);
      await untilStatus(stage, 'it rolls back and keeps the lock, and the other waits', (status) => {
        const {host, silent} = statusOf(status, bad);
        const isKept = status.lock.kind === 'known' && status.lock.holders.some((holder) => holder.isKept);
        const isBack = silent === null && host?.lastUpdate?.outcome === 'rolled-back' && isKept;
        return isBack && waitingOf(status).includes(good.plan.name);
      });
      await stage.withdraw();
      // It ends with an error code, because there is nothing.
      await bad.runAsRoot(['caissonctl', 'check']).catch(() => undefined);
      const free = await untilStatus(stage, 'the lock is free, and the other has dropped it', (status) => {
        const isFree = status.lock.kind === 'known' && status.lock.holders.length === 0;
        return isFree && statusOf(status, good).host?.lastUpdate?.outcome === 'dropped';
      });
      for (const member of stage.cluster.members)
        assert.notEqual(statusOf(free, member).host?.version, stage.version);
    });
  });
});
