/**
 * The status as Prometheus metrics, in the text format 0.0.4. Written here: the usual library brings a registry and
 * OpenTelemetry's API for what is a list of lines.
 */
import {FINDINGS} from '../channel/judge.ts';
import {STATUS_NAMES} from '../machine/states.ts';
import type {Status} from './status.ts';

interface Sample {
  labels?: Readonly<Record<string, string>>;
  value: number;
}

interface Metric {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  samples: readonly Sample[];
}

export function formatMetrics(status: Status): string {
  return metricsOf(status)
    .filter(({samples}) => samples.length > 0)
    .map(({name, help, type, samples}) => {
      const lines = samples.map(({labels = {}, value}) => `${name}${formatLabels(labels)} ${value}`);
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n');
    })
    .join('\n')
    .concat('\n');
}

function metricsOf(status: Status): Metric[] {
  const {os, slots, progress, lastCheck, lastUpdate, counters, engine} = status;
  return [
    gauge('caisson_os_info', 'The running release; always 1.', [
      {
        labels: {version: os.version, build_id: os.buildId, channel: os.channel, slot: status.slot ?? ''},
        value: 1,
      },
    ]),
    gauge(
      'caisson_update_state',
      'Which of its states the update engine is in.',
      STATUS_NAMES.map((state) => ({labels: {state}, value: Number(state === status.state)})),
    ),
    gauge('caisson_update_state_since_seconds', 'When that state began.', [
      {value: status.stateSince / 1000},
    ]),
    gauge(
      'caisson_slot_good',
      'Whether the slot was found good; by running and version.',
      slots.map((slot) => ({
        labels: {slot: slot.letter, running: String(slot.isRunning), version: slot.version ?? ''},
        value: Number(slot.successful),
      })),
    ),
    gauge(
      'caisson_slot_priority',
      'Priority of the slot in the partition table.',
      slots.map(({letter, priority}) => ({labels: {slot: letter}, value: priority})),
    ),
    gauge(
      'caisson_slot_tries',
      'Starts left for a slot on trial.',
      slots.map(({letter, tries}) => ({labels: {slot: letter}, value: tries})),
    ),
    gauge('caisson_reboot_needed', 'Whether an installed release waits for a reboot.', [
      {value: Number(status.state === 'UPDATED_NEED_REBOOT')},
    ]),
    ...rebootMetrics(status),
    gauge(
      'caisson_update_progress_ratio',
      'How much of the payload is done.',
      progress === null || progress.totalBytes === 0
        ? []
        : [{value: progress.doneBytes / progress.totalBytes}],
    ),
    gauge(
      'caisson_update_last_check_seconds',
      'When the server was last asked.',
      lastCheck === null ? [] : [{labels: {outcome: lastCheck.outcome}, value: lastCheck.at / 1000}],
    ),
    ...channelMetrics(status),
    gauge(
      'caisson_update_last_update_seconds',
      'When the last update came to something.',
      lastUpdate === null ? [] : [{labels: {outcome: lastUpdate.outcome}, value: lastUpdate.at / 1000}],
    ),
    ...holdMetrics(status),
    gauge('caisson_update_denied_versions', 'Versions on the deny list.', [{value: status.denied.length}]),
    gauge('caisson_update_config_problems', 'Lines of the configuration that do not count.', [
      {value: status.config.problems.length},
    ]),
    gauge('caisson_update_disk_problems', 'What is wrong with the partition table and the ESP.', [
      {value: status.disk.problems.length},
    ]),
    counter('caisson_update_checks_total', 'Times the server was asked.', counters.checks),
    counter('caisson_update_check_failures_total', 'Checks that failed.', counters.checkFailures),
    counter('caisson_updates_total', 'Updates installed.', counters.updates),
    counter('caisson_update_failures_total', 'Updates that failed.', counters.updateFailures),
    gauge('caisson_update_engine_start_seconds', 'When the engine started.', [
      {value: engine.startedAt / 1000},
    ]),
  ];
}

function holdMetrics({lastOffer}: Status): Metric[] {
  const hold = lastOffer?.hold ?? null;
  return [
    gauge(
      'caisson_update_held',
      'Whether the server keeps a release back from this host; by why.',
      hold === null ? [] : [{labels: {reason: hold.reason, version: hold.version}, value: 1}],
    ),
    gauge(
      'caisson_update_held_position',
      'Place of this host in line; 1 is next.',
      samplesOf(hold?.position),
    ),
    gauge(
      'caisson_update_held_not_before_seconds',
      'Not before that the server gives it out.',
      samplesOf(hold?.notBefore),
    ),
  ];
}

function channelMetrics({channel}: Status): Metric[] {
  if (channel === null || channel.standing === 'unchecked') return [];
  const seconds = (at: number | null): readonly Sample[] => samplesOf(at === null ? null : at / 1000);
  return [
    gauge(
      'caisson_channel_problem',
      'Whether the signed metadata of the channel is missing, expired, or goes backwards; by what is found.',
      FINDINGS.map((finding) => ({
        labels: {finding},
        value: Number(channel.findings.includes(finding)),
      })),
    ),
    gauge(
      'caisson_channel_serial',
      'Number of the signed state that was last believed.',
      samplesOf(channel.serial),
    ),
    gauge('caisson_channel_issued_seconds', 'When that was signed.', seconds(channel.issued)),
    gauge('caisson_channel_expires_seconds', 'Until when that holds.', seconds(channel.expires)),
  ];
}

function rebootMetrics({reboot}: Status): Metric[] {
  const {debt, wantedSince, gates, window} = reboot;
  return [
    gauge(
      'caisson_reboot_waiting_since_seconds',
      'Since when a restart is wanted and does not happen.',
      wantedSince === null ? [] : [{value: wantedSince / 1000}],
    ),
    gauge(
      'caisson_reboot_blocked',
      'Whether a restart that is wanted waits for this; by what it waits for.',
      gates.map(({name, answer}) => ({labels: {by: name, answer}, value: Number(answer !== 'open')})),
    ),
    gauge('caisson_reboot_window_open', 'Whether a restart would be in a window now.', [
      {value: Number(window.answer === 'open')},
    ]),
    gauge(
      'caisson_reboot_lock_held_since_seconds',
      'Since when this host holds the reboot lock.',
      debt === null || debt.heldSince === null
        ? []
        : [{labels: {lock: debt.lock, purpose: debt.purpose}, value: debt.heldSince / 1000}],
    ),
    gauge('caisson_reboot_lock_attempts', 'Times that the lock was asked for since a restart is wanted.', [
      {value: reboot.lockAttempts},
    ]),
  ];
}

function samplesOf(value: number | null | undefined): readonly Sample[] {
  return typeof value === 'number' ? [{value}] : [];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return {name, help, type: 'gauge', samples};
}

function counter(name: string, help: string, value: number): Metric {
  return {name, help, type: 'counter', samples: [{value}]};
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
