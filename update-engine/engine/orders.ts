/**
 * What operators may have done. Each order is refused, with the reason, where the machine's state does not allow it; the
 * disk is changed before the machine hears of it, so that it never believes in something that is not there.
 */
import {stat} from 'node:fs/promises';
import {ApiError, type Done} from '../api/protocol.ts';
import type {Orders} from '../api/server.ts';
import {openChannelMemory} from '../channel/memory.ts';
import {type State, type Target, statusOf} from '../machine/states.ts';
import {SlotError} from '../slots/errors.ts';
import {denyVersion} from './effects.ts';
import type {Loop} from './loop.ts';
import type {EngineParts} from './parts.ts';

export function createOrders(parts: EngineParts, loop: Loop, touch: () => void): Orders {
  const {slots, state, conf, identity, clock, journal, history, bootImage} = parts;
  let last: Promise<unknown> = Promise.resolve();

  /** One order at a time, each on the state that the one before has left. */
  function oneByOne(act: () => Promise<string>): Promise<Done> {
    const result = last.then(async () => {
      await loop.settled();
      const message = await act();
      await loop.settled();
      touch();
      return {message};
    });
    last = result.catch(() => undefined);
    return result;
  }

  async function requireServer(): Promise<void> {
    const {settings} = await conf.reload();
    if (settings.server.kind !== 'disabled') return;
    throw new ApiError('refused', `this host asks no server: ${settings.server.reason}`, {
      hint: 'set SERVER in /etc/caisson/update.conf, or install a file: caissonctl update --payload FILE',
    });
  }

  async function update(version: string | null, payloadPath: string | null): Promise<string> {
    if (payloadPath === null) await requireServer();
    else {
      await requireFile(payloadPath);
      await conf.reload();
    }
    if (isWorking(loop.state()) && version === null && payloadPath === null)
      return 'an update is under way already';
    requireIdle(loop.state());
    journal.info('an operator asks for an update');
    loop.dispatch({kind: 'woken', wish: {by: 'operator', install: true, version, payloadPath}});
    return payloadPath === null ? 'the server is being asked' : `${payloadPath} is being looked at`;
  }

  /** What is installed, or else the running release once more. */
  function restartTarget(now: State): Omit<Target, 'isUrgent'> {
    // Nothing lies on a disk that a restart could lose, whatever the checks say; and a person need not wait for the
    // interval that keeps such a host from restarting over and over.
    if (bootImage !== undefined) {
      const version = now.kind === 'need-reboot' ? now.target.version : identity.version;
      return {version, slot: null, kind: 'requested', followsChannel: false};
    }
    if (now.kind === 'need-reboot') return now.target;
    if (now.kind === 'on-trial') {
      const hint = 'wait for the health checks: caissonctl status';
      throw new ApiError('refused', 'the running system has not been found good yet', {hint});
    }
    const {place, absence} = slots;
    if (place === null) throw new ApiError('refused', absence ?? 'this host runs from no slot');
    return {version: identity.version, slot: place.active, kind: 'requested', followsChannel: false};
  }

  return {
    check: () =>
      oneByOne(async () => {
        await requireServer();
        requireIdle(loop.state());
        loop.dispatch({
          kind: 'woken',
          wish: {by: 'operator', install: false, version: null, payloadPath: null},
        });
        return 'the server is being asked';
      }),

    update: ({version, payload}) => oneByOne(() => update(version ?? null, payload ?? null)),

    rollback: () =>
      oneByOne(async () => {
        requireStill(loop.state());
        if (loop.state().kind === 'need-reboot')
          throw new ApiError('refused', 'the other slot is the next to start already', {
            hint: 'caissonctl status',
          });
        const {place} = slots;
        const other = (await slots.releases()).find(({isRunning}) => !isRunning);
        if (place === null || other === undefined)
          throw new ApiError('refused', slots.absence ?? 'the disk has no second slot');
        if (!other.isGood)
          throw new ApiError('refused', `slot ${other.letter} holds nothing that was found good`);
        const before = await state.denied();
        const reason = `rolled back by an operator, to ${other.version ?? 'the other slot'}`;
        const entry = {version: identity.version, buildId: null, reason, at: clock.now()};
        await denyVersion({state}, entry);
        try {
          await slots.pointBack();
        } catch (error) {
          await state.setDenied(before);
          throw refusalOf(error);
        }
        journal.warn(`slot ${place.idle} is the next to start: ${reason}`);
        loop.dispatch({
          kind: 'reboot-asked',
          target: {
            version: other.version ?? 'unknown',
            slot: place.idle,
            kind: 'rollback',
            isUrgent: false,
            followsChannel: false,
          },
        });
        return `slot ${place.idle} (${other.version ?? 'unknown version'}) starts with the next reboot, and ${identity.version} is denied`;
      }),

    reboot: ({now: isUrgent = false}) =>
      oneByOne(async () => {
        const now = loop.state();
        requireStill(now);
        const target = restartTarget(now);
        await conf.reload();
        journal.warn(`an operator asks for a restart${isUrgent ? ' now' : ''}`);
        loop.dispatch({kind: 'reboot-asked', target: {...target, isUrgent}});
        return isUrgent
          ? 'the host restarts as soon as it has the lock'
          : 'the host restarts when its conditions are met: caissonctl status';
      }),

    reset: () =>
      oneByOne(async () => {
        const now = loop.state();
        if (now.kind === 'finalizing')
          throw new ApiError('busy', 'the update is being made the next to start; reset it in a moment');
        if (now.kind === 'need-reboot') {
          if (now.target.kind === 'update') await slots.dropIdle();
          else if (now.target.kind === 'rollback') await slots.pointHere();
        }
        if (now.kind === 'on-trial') return 'there is nothing to reset: the running system is on trial';
        if (now.kind === 'idle') await history.change({lastError: null});
        loop.dispatch({kind: 'reset'});
        if (now.kind === 'need-reboot')
          return `the next reboot starts ${identity.version} again; caissonctl deny add ${now.target.version} keeps ${now.target.version} away`;
        return isWorking(now)
          ? `stopped while ${statusOf(now)}`
          : 'there was nothing to reset but the last error';
      }),

    markGood: () =>
      oneByOne(async () => {
        const {place} = slots;
        if (bootImage !== undefined) {
          if (loop.state().kind === 'on-trial') loop.dispatch({kind: 'became-good'});
          return 'this boot counts as good';
        }
        if (place === null) throw new ApiError('refused', slots.absence ?? 'this host runs from no slot');
        const running = (await slots.releases()).find(({isRunning}) => isRunning);
        if (running?.isGood === true) return `slot ${place.active} was found good already`;
        await slots.markGood();
        journal.warn(`slot ${place.active} was marked good by an operator`);
        if (loop.state().kind === 'on-trial') loop.dispatch({kind: 'became-good'});
        return `slot ${place.active} is marked good`;
      }),

    forgetChannel: () =>
      oneByOne(async () => {
        requireStill(loop.state());
        const count = await openChannelMemory(state, (text) => journal.warn(text)).forget();
        await history.change({channel: null});
        journal.warn('an operator has what was seen of signed channels forgotten');
        return count === 0
          ? 'no signed channel was known'
          : 'what was seen of signed channels is forgotten; the next check believes what it finds';
      }),

    denyAdd: ({version, reason}) =>
      oneByOne(async () => {
        await denyVersion({state}, {version, buildId: null, reason, at: clock.now()});
        journal.info(`${version} was put on the deny list: ${reason}`);
        const isRunning = version === identity.version ? '; it is running, and goes on doing so' : '';
        return `${version} is not installed from now on${isRunning}`;
      }),

    denyRemove: ({version}) =>
      oneByOne(async () => {
        const denied = await state.denied();
        const left = denied.filter((entry) => entry.version !== version);
        if (left.length === denied.length)
          throw new ApiError('refused', `${version} is not on the deny list`);
        await state.setDenied(left);
        journal.info(`${version} was taken off the deny list`);
        return `${version} may be installed again`;
      }),
  };
}

function isWorking(state: State): boolean {
  return ['checking', 'available', 'downloading', 'verifying', 'finalizing'].includes(state.kind);
}

/** Throws ApiError unless a check could begin now. */
function requireIdle(state: State): void {
  requireStill(state);
  if (state.kind === 'need-reboot') {
    throw new ApiError('refused', `${state.target.version} waits for the reboot that starts it`, {
      hint: 'reboot, or drop it: caissonctl reset',
    });
  }
  if (state.kind === 'on-trial') {
    throw new ApiError(
      'refused',
      'the running system has not been found good yet, and the other slot is the way back',
      {
        hint: 'wait for the health checks, or end the trial: caissonctl mark-good',
      },
    );
  }
}

function requireStill(state: State): void {
  if (!isWorking(state) && state.kind !== 'starting' && state.kind !== 'reporting-error') return;
  throw new ApiError('busy', `not while ${statusOf(state)}`, {hint: 'wait, or stop it: caissonctl reset'});
}

async function requireFile(path: string): Promise<void> {
  const hint = 'the engine sees the host, but not the temporary and private folders of others';
  const found = await stat(path).catch((error: unknown) => {
    throw new ApiError('refused', `${path} cannot be read by the engine`, {cause: error, hint});
  });
  // Opening a pipe would wait for its other end.
  if (!found.isFile()) throw new ApiError('refused', `${path} is not a file`);
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof SlotError) || error.code !== 'not-good') return error;
  return new ApiError('refused', error.message, {cause: error});
}
