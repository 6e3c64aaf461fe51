/** What the owner of a cluster tells those who ask: the note where to find it, and the status of all members. */
import {z} from '../../formats/schema.ts';

const text = z.string().max(8192);
const time = z.number().nonnegative();

/** Lies in a file while the cluster runs. */
export const noteSchema = z.object({
  /** Process that runs the cluster. */
  pid: z.int().positive(),
  controlSocket: text,
  user: text,
  identityFile: text,
  members: z.array(
    z.object({
      number: z.int().positive(),
      name: text,
      address: text,
      /** Of 127.0.0.1. */
      sshPort: z.int().positive(),
      etcdUrl: text,
      consoleLog: text,
    }),
  ),
});

export type ClusterNote = z.infer<typeof noteSchema>;

export const memberStatusSchema = z.object({
  name: text,
  address: text,
  /** Off when its power is: QEMU has ended. */
  isOn: z.boolean(),
  /** Of the cluster's network; the one for ssh is never cut. */
  link: z.enum(['joined', 'cut', 'unplugged']),
  /** Whether the last question reached the host; whether the engine answered it is told by `silent`. */
  ssh: z.enum(['answers', 'silent']),
  /** What the update engine says; null as long as it has said nothing. */
  host: z
    .object({
      /** Milliseconds since 1970; of the answer. */
      at: time,
      machineId: text,
      version: text,
      slot: text.nullable(),
      isGood: z.boolean().nullable(),
      state: text,
      offer: text.nullable(),
      /** Why nothing more happens. */
      waiting: z.array(text),
      lastUpdate: z.object({outcome: text, version: text.nullable(), detail: text}).nullable(),
    })
    .nullable(),
  /** Why the last question was not answered; null when it was. */
  silent: text.nullable(),
  etcd: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('answers'),
      isLeader: z.boolean(),
      hasLeader: z.boolean(),
      problems: z.array(text),
    }),
    z.object({kind: z.literal('failed'), reason: text}),
  ]),
});

export const clusterStatusSchema = z.object({
  format: z.literal(1),
  /** Milliseconds since 1970. */
  at: time,
  members: z.array(memberStatusSchema),
  /** The reboot lock in etcd; null when it could not be read, with the reason. */
  lock: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('known'),
      max: z.number(),
      /** `name` is the member's, or the id of someone else. */
      holders: z.array(
        z.object({
          name: text,
          since: time.nullable(),
          reason: text.nullable(),
          version: text.nullable(),
          isKept: z.boolean(),
        }),
      ),
      /** In their order. */
      waiting: z.array(z.object({name: text, since: time.nullable(), reason: text.nullable()})),
    }),
    z.object({kind: z.literal('unknown'), reason: text}),
  ]),
});

export type MemberStatus = z.infer<typeof memberStatusSchema>;
export type HostStatus = NonNullable<MemberStatus['host']>;
export type ClusterStatus = z.infer<typeof clusterStatusSchema>;
export type LockStatus = ClusterStatus['lock'];
