/** The demo's witness against a real etcd whose members are killed: it must see what happened, and only that. */
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {type DemoReport, faults} from '../../cli/cluster/demo-report.ts';
import {memberClients, type WatchableMember} from '../../cli/cluster/owner.ts';
import {withWitness} from '../../cli/cluster/witness.ts';
import {createEtcdClient} from '../../platform/etcd/client.ts';
import {createHttpClient, type HttpClient, type HttpExchange} from '../../platform/http.ts';
import {planMembers} from '../../qemu/cluster/plan.ts';
import {type EtcdCluster, type EtcdMemberProcess, startEtcd} from '../support/etcd.ts';

const never = new AbortController().signal;
const ASK_EVERY_MS = 100;

/** Waits until the witness has said so of a member. */
type Seen = (index: number, isHealthy: boolean) => Promise<void>;

describe('the witness of a cluster', {timeout: 10 * 60_000}, () => {
  let etcd: EtcdCluster;
  let http: HttpClient & HttpExchange;
  let members: WatchableMember[];

  before(async () => {
    http = createHttpClient({isDirect: true});
    // Generous, as the cluster's own settings are: an election out of slowness would be a finding of another kind.
    etcd = await startEtcd({members: 3, args: ['--heartbeat-interval=300', '--election-timeout=3000']});
    members = planMembers(3).map((plan, index) => ({plan, etcdUrl: etcd.endpoints[index] ?? ''}));
  });
  after(async () => {
    await etcd.stop();
    await http.close();
  });

  async function healthy(...indexes: number[]): Promise<void> {
    const wanted = memberClients(members, http, 10_000).filter((_, index) => indexes.includes(index));
    for (const {etcd: client} of wanted)
      while (!(await isAnswered(client.range({key: 'x'}, never)))) await sleep(ASK_EVERY_MS);
  }

  async function isAnswered(question: Promise<unknown>): Promise<boolean> {
    return question.then(
      () => true,
      () => false,
    );
  }

  async function followers(): Promise<number[]> {
    const client = createEtcdClient({endpoints: etcd.endpoints, http, user: null});
    const found = await client.members(never);
    return found.flatMap((member, index) => (member.kind === 'answers' && !member.isLeader ? index : []));
  }

  function processAt(index: number): EtcdMemberProcess {
    const process = etcd.members[index];
    assert.ok(process !== undefined);
    return process;
  }

  /** Each run writes anew: what the one before wrote would be an invention. */
  async function witness(act: (seen: Seen) => Promise<void>): Promise<DemoReport> {
    await etcd.etcdctl('del', '--prefix', 'caisson-demo/');
    await healthy(0, 1, 2);
    const said: string[] = [];
    const seen = async (index: number, isHealthy: boolean): Promise<void> => {
      const about = `etcd of ${members[index]?.plan.name}: `;
      const last = (): string | undefined => said.findLast((line) => line.startsWith(about));
      while (last() === undefined || (last() === `${about}healthy`) !== isHealthy) await sleep(ASK_EVERY_MS);
    };
    const watched = {cluster: {members}, http, signal: never};
    return withWitness(
      watched,
      (text) => said.push(text),
      () => act(seen),
    );
  }

  // One at a time: the witness looks once a second, and takes two outages within a second for one.
  it('finds no fault when one member is away', async () => {
    for (const index of await followers()) {
      const report = await witness(async (seen) => {
        await Promise.all([0, 1, 2].map((each) => seen(each, true)));
        await processAt(index).kill();
        await seen(index, false);
        await processAt(index).start();
        await seen(index, true);
      });
      assert.deepEqual(faults(report), []);
      assert.equal(report.quorum.fewestHealthy, 2);
      assert.deepEqual(
        report.quorum.outages.map(({member}) => member),
        [members[index]?.plan.name],
      );
      assert.ok(report.writes.acknowledged > 3, `${report.writes.acknowledged} writes`);
      assert.deepEqual(report.writes.lost, []);
    }
  });

  it('finds the majority lost when two are away at once, and still no write', async () => {
    const report = await witness(async (seen) => {
      await Promise.all([0, 1, 2].map((index) => seen(index, true)));
      const away = await followers();
      await Promise.all(away.map((index) => processAt(index).kill()));
      // The one that is left knows no majority either.
      await Promise.all([0, 1, 2].map((index) => seen(index, false)));
      await Promise.all(away.map((index) => processAt(index).start()));
      await Promise.all([0, 1, 2].map((index) => seen(index, true)));
    });
    assert.ok(report.quorum.losses.length > 0);
    assert.ok(report.quorum.fewestHealthy < 2);
    assert.match(faults(report).join(), /members were healthy for/);
    const {lost, altered, invented, unknown, refused} = report.writes;
    assert.deepEqual([lost, altered, invented], [[], [], []]);
    assert.ok(unknown + refused > 0);
  });
});
