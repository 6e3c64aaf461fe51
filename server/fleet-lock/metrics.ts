/** What a FleetLock server has answered, in Prometheus' text format. */
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {FleetLockOutcome} from './app.ts';

const NAME = 'caisson_fleet_lock_requests_total';
const OUTCOMES: readonly FleetLockOutcome[] = [
  'granted',
  'released',
  'full',
  'invalid_client_identity',
  'unknown_group',
  'failed_sem_init',
  'failed_lock',
];

export function metricsAnswer(counts: ReadonlyMap<FleetLockOutcome, number>): ServerAnswer {
  const lines = [
    `# HELP ${NAME} Requests of hosts, by what they were answered.`,
    `# TYPE ${NAME} counter`,
    // All of them from the beginning: an alert on the rate of one that never was is no alert.
    ...OUTCOMES.map((outcome) => `${NAME}{outcome="${outcome}"} ${counts.get(outcome) ?? 0}`),
  ];
  return {
    status: 200,
    headers: {'content-type': 'text/plain; version=0.0.4; charset=utf-8'},
    body: Buffer.from(`${lines.join('\n')}\n`),
  };
}
