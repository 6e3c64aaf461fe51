/** A machine whose console is the terminal of whoever started it; Ctrl-A X ends it, Ctrl-A H tells what else. */
import {start} from '../platform/exec.ts';
import {qemuArguments} from './arguments.ts';
import {QemuError} from './errors.ts';
import {
  completeSpec,
  type MachineEnd,
  type MachineOptions,
  QMP_DEADLINE_MS,
  readHostPorts,
} from './machine.ts';
import {QmpClient} from './qmp.ts';
import {createRuntimeFolder} from './runtime-folder.ts';

/** On a busy machine QEMU takes its time to end; killed before it has, it leaves the terminal as it was for the guest. */
const GRACE_MS = 60_000;

export interface TerminalOptions extends MachineOptions {
  /** Called before the guest runs, with the ports of 127.0.0.1 by guest port: the last chance to print. */
  onStart?: (hostPorts: ReadonlyMap<number, number>) => void | Promise<void>;
}

/** Runs a machine in this terminal until it ends. Throws QemuError as `startMachine` does; `exited` without QEMU's words, which are on the terminal. */
export async function runInTerminal(options: TerminalOptions): Promise<MachineEnd> {
  options.signal?.throwIfAborted();
  const folder = await createRuntimeFolder();
  try {
    const {consoleLog} = options;
    const serial = {kind: 'terminal', ...(consoleLog === undefined ? {} : {logFile: consoleLog})} as const;
    const spec = await completeSpec({...options, paused: true}, folder.path, serial);
    // SIGTERM and not SIGKILL, here and on abort: only QEMU itself can give the terminal back as it was.
    const child = start(['setpriv', '--pdeathsig', 'TERM', '--', ...qemuArguments(spec)], {
      stdio: 'inherit',
      signal: options.signal,
      graceMs: GRACE_MS,
    });
    const gone = new AbortController();
    const ended = child.ended.finally(() =>
      gone.abort(new QemuError('exited', 'QEMU ended before it could be used')),
    );
    try {
      const qmp = await QmpClient.connect(String(spec.qmpSocket), {
        deadlineMs: QMP_DEADLINE_MS,
        signal: gone.signal,
      });
      await options.onStart?.(await readHostPorts(spec, qmp));
      if (options.paused !== true) await qmp.execute('cont');
      qmp.close();
    } catch (error) {
      // QEMU closes its sockets before it ends; telling it to end once more does no harm.
      const hasEnded = error instanceof QemuError && error.code === 'exited';
      child.kill();
      await ended;
      options.signal?.throwIfAborted();
      if (!hasEnded) throw error;
      throw new QemuError('exited', `QEMU did not start ${spec.name}; it said why above`, {cause: error});
    }
    return await ended;
  } finally {
    await folder.remove();
  }
}
