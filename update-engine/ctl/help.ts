/** What caissonctl says about itself. */
export const EXIT_CODES = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** The engine is not running. */
  notRunning: 3,
  notRoot: 4,
  /** What was asked for is not possible now: busy, on trial, refused by a rule. */
  refused: 5,
} as const;

const OVERVIEW = `usage: caissonctl [COMMAND] [OPTION...]

Shows and steers the updates of this host. Anyone may look; changes need root.

  status [--explain] [--json]   what runs, what comes next, and why nothing happens
  watch [--json]                the same with every change, until Ctrl-C
  check [--json]                ask the server now, install nothing
  update [--version X | --payload FILE] [--no-wait]
                                check and install now, showing the progress
  rollback                      start the other slot at the next reboot, and deny the running version
  reset                         stop an update, or drop one that waits for its reboot
  mark-good                     say that the running slot is good, without waiting for the health checks
  channel [show] [--json] | forget
                                what is signed of the channel, and believing it anew
  deny list [--json] | add VERSION [--reason TEXT] | remove VERSION
                                versions that are never installed
  reboot [--now]                restart when the conditions are met; --now: as soon as the lock is held
  lock status|groups|take|free|set-max|set-expiry
                                the reboot lock in etcd
  metrics                       for Prometheus
  help [COMMAND]

Exit codes: 0 done, 1 failed, 2 not understood, 3 the engine is not running, 4 not root, 5 refused.
`;

const TOPICS: Readonly<Record<string, string>> = {
  status: `usage: caissonctl status [--explain] [--json]

Without an engine that runs it shows what the disk says, as far as this user may read it, and ends with 3.

  --explain   the bits of the slots, why the next boot is what it is, configuration and health
  --json      the status document, described in docs/update-api.md
`,
  update: `usage: caissonctl update [--version X | --payload FILE] [--no-wait]

Asks the server and installs what it offers, if nothing speaks against it. Ends with 0 when a release was installed or
there is none to install, 5 when one was refused (denied, older, pinned, the running slot not yet good), 1 when it failed.
The reboot follows REBOOT_STRATEGY.

  --version X      only this version; anything else that the server offers is refused
  --payload FILE   install from this file, without a server; it has to be signed by a trusted key all the same
  --no-wait        begin, and come back at once
`,
  rollback: `usage: caissonctl rollback

Makes the other slot the next to start, if it was found good before, and puts the running version on the deny list so
that it does not come back by itself (caissonctl deny remove VERSION lets it in again). The reboot follows
REBOOT_STRATEGY; until then caissonctl reset takes it back.
`,
  reset: `usage: caissonctl reset

While an update is being made: stops it. What was downloaded so far is used again by the next try.
While one waits for its reboot: drops it; the running release is started again.
`,
  'mark-good': `usage: caissonctl mark-good

Marks the running slot as good. Use it when the health checks are wrong and you know better: the way back by itself ends
with it.
`,
  reboot: `usage: caissonctl reboot [--now]

Has the engine restart the host as after an update: window, inhibitors, lock, sessions and hooks (docs/reboot.md). With
REBOOT_STRATEGY=off it counts as the decision that off leaves to you. caissonctl reset takes it back until then.

  --now   of all conditions only the lock counts
`,
  lock: `usage: caissonctl lock [status] [--json]
       caissonctl lock groups [--json]
       caissonctl lock take [ID] [--reason TEXT]
       caissonctl lock free [ID]
       caissonctl lock set-max N
       caissonctl lock set-expiry TIME|off

Shows and changes the lock that REBOOT_STRATEGY=etcd-lock uses. ID is the machine id of a holder, this host's unless named.
Free the slot of a host that does not come back, or that came back from a bad release and keeps it for that reason. With
an expiry, who holds the lock for longer loses it to the next host that asks; a slot kept after a bad release does not
expire.

  --endpoint URL[,URL]   another etcd than that of /etc/caisson/update.conf
  --group NAME           another group
`,
  channel: `usage: caissonctl channel [show] [--json]
       caissonctl channel forget

Shows what the key of the channel has signed, as the last check found it: the number, when it was signed and until when
that holds. A file with a lower number than one that was seen, or with an older release that nobody meant, is refused,
and so is what comes with it.

  forget   forget what was seen: the next check believes what it finds. For a channel that was made anew, or moved to a
           server that counts from the beginning
`,
  deny: `usage: caissonctl deny list [--json]
       caissonctl deny add VERSION [--reason TEXT]
       caissonctl deny remove VERSION

A version comes onto the list when it did not come up or its health checks failed, by rollback, or by hand.
`,
};

export function helpText(topic: string | null): string {
  const name = topic?.split(' ')[0] ?? '';
  return (Object.hasOwn(TOPICS, name) ? TOPICS[name] : undefined) ?? OVERVIEW;
}
