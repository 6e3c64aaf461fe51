/** Three real members of etcd, each behind links of its own for clients and for the other members. */
import {type EtcdCluster, type EtcdMemberProcess, startEtcd} from '../etcd.ts';
import {freePorts} from '../free-port.ts';
import {type Link, openLink} from '../link.ts';

export interface LinkedMember {
  readonly process: EtcdMemberProcess;
  /** From hosts. */
  readonly clients: Link;
  /** From the other members. */
  readonly peers: Link;
}

export interface LinkedCluster {
  readonly members: readonly LinkedMember[];
  /** Through the links. */
  readonly endpoints: readonly string[];
  readonly etcd: EtcdCluster;
  /** All links open, all members running. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

export async function startLinkedCluster(
  members: number,
  args: readonly string[] = [],
): Promise<LinkedCluster> {
  const links: Link[] = [];
  const closeLinks = async (): Promise<void> => void (await Promise.all(links.map((link) => link.close())));
  try {
    const etcd = await startEtcd({
      members,
      args,
      async peerAddress(_, port) {
        const [free = 0] = await freePorts(1);
        links.push(await openLink(free, () => port));
        return free;
      },
    });
    const peers = [...links];
    const linked: LinkedMember[] = [];
    for (const [index, process] of etcd.members.entries()) {
      const [free = 0] = await freePorts(1);
      const clients = await openLink(free, () => process.clientPort);
      links.push(clients);
      const own = peers[index];
      if (own === undefined) throw new Error(`member ${index} has no link`);
      linked.push({process, clients, peers: own});
    }
    return {
      members: linked,
      endpoints: linked.map(({clients}) => `http://127.0.0.1:${clients.port}`),
      etcd,
      async heal() {
        for (const link of links) link.set('open');
        await Promise.all(linked.map(({process}) => process.start()));
      },
      async stop() {
        await etcd.stop();
        await closeLinks();
      },
    };
  } catch (error) {
    await closeLinks();
    throw error;
  }
}
