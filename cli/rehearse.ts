/** caisson rehearse */
import {readFile} from 'node:fs/promises';
import type {CommandModule} from 'yargs';
import {CodedError} from '../formats/errors.ts';
import {parseGoDuration} from '../formats/go-duration.ts';
import {parseYaml, plainValue} from '../formats/yaml.ts';
import {writeFileAtomic} from '../platform/files.ts';
import {type RolloutPolicy, formatPace, parsePolicy, parseShare} from '../server/rollout/policy.ts';
import {formatSpan, plotSvg, plotText} from './rehearse/plot.ts';
import {type Rehearsal, type Scenario, rehearse} from './rehearse/run.ts';

class RehearseUsageError extends CodedError<'usage'> {}

const HOWS = ['rolled-back', 'lost'] as const;

interface Arguments {
  machines: number;
  fails: string;
  how: (typeof HOWS)[number];
  policy?: string;
  seed: string;
  start: string;
  limit: string;
  outage?: string;
  download: string;
  'reboot-wait': string;
  boot: string;
  trial: string;
  svg?: string;
  json: boolean;
}

const MAX_MACHINES = 1_000_000;
const MAX_POLICY_CHARACTERS = 1 << 20;

export const rehearseCommand: CommandModule<object, Arguments> = {
  command: 'rehearse',
  describe: 'See on a simulated fleet how far a bad release gets under a rollout policy',
  builder: (yargs) =>
    yargs
      .option('machines', {alias: 'n', type: 'number', default: 10_000, describe: 'How many there are'})
      .option('fails', {
        type: 'string',
        default: '5%',
        describe: 'Share of the machines on which the release does not come up',
      })
      .option('how', {choices: HOWS, default: HOWS[0], describe: 'What becomes of these machines'})
      .option('policy', {
        type: 'string',
        describe: 'YAML or JSON file with a rollout policy, else the default',
      })
      .option('seed', {
        type: 'string',
        default: '1',
        describe: 'Of all chance: the same seed, the same outcome',
      })
      .option('start', {
        type: 'string',
        default: '2026-01-05T09:00:00Z',
        describe: 'When the release is published: matters for windows',
      })
      .option('limit', {type: 'string', default: '720h', describe: 'Virtual time after which it ends anyway'})
      .option('outage', {
        type: 'string',
        describe: 'The server answers 503: AFTER+LENGTH, for example 2h+30m; hosts back off',
      })
      .option('download', {type: 'string', default: '10m', describe: 'Half of that to one and a half times'})
      .option('reboot-wait', {
        type: 'string',
        default: '30m',
        describe: 'Until a host may restart: none to that',
      })
      .option('boot', {type: 'string', default: '2m', describe: 'How long a boot takes'})
      .option('trial', {type: 'string', default: '3m', describe: 'How long health checks take'})
      .option('svg', {type: 'string', describe: 'Also draw it into that file'})
      .option('json', {type: 'boolean', default: false, describe: 'Print JSON'})
      .example('$0 rehearse', '10,000 machines, a release that fails on 5 % of them, the default policy')
      .example('$0 rehearse --policy stable.yaml --fails 1% --svg out.svg', 'a policy of your own'),
  handler: async (argv) => {
    const scenario = await readScenario(argv);
    const began = performance.now();
    const rehearsal = rehearse(scenario);
    const seconds = (performance.now() - began) / 1000;
    if (argv.svg !== undefined) await writeFileAtomic(argv.svg, plotSvg(rehearsal, scenario.machines));
    const {machines, seed} = scenario;
    const text = argv.json
      ? JSON.stringify({machines, seed, fails: argv.fails, how: argv.how, ...rehearsal}, undefined, 2)
      : [
          `${machines} machines, ${argv.fails} of which do not take the release (${argv.how}), pace ${formatPace(scenario.policy.pace)}, seed ${seed}`,
          '',
          plotText(rehearsal, machines, Math.min(110, process.stdout.columns || 90)),
          '',
          ...summaryLines(rehearsal, machines),
          `Simulated ${formatSpan(rehearsal.ms)} in ${seconds.toFixed(1)} s: ${rehearsal.checks} checks, ${rehearsal.events} events.`,
        ].join('\n');
    process.stdout.write(`${text}\n`);
  },
};

function summaryLines(rehearsal: Rehearsal, machines: number): string[] {
  const {halt, hit, hitBeforeHalt, inFlightAtHalt, granted, good, isOver} = rehearsal;
  const share = (count: number): string => `${count} (${((count / machines) * 100).toFixed(2)} %)`;
  const reached = `${share(granted)} machines were granted the release, ${share(good)} run it, ${share(hit)} were hit.`;
  if (halt === null)
    return [reached, isOver ? 'It went through without a halt.' : 'It was not over by then.'];
  return [
    `Halted after ${formatSpan(halt.ms)}: ${halt.reason}.`,
    `Hit by then: ${share(hitBeforeHalt)}; ${inFlightAtHalt} more were on their way.`,
    reached,
  ];
}

async function readScenario(argv: Arguments): Promise<Scenario> {
  const failing = parseShare(argv.fails);
  if (failing === null) throw usage(`--fails ${argv.fails} is no share such as 5%`);
  if (!Number.isInteger(argv.machines) || argv.machines < 1 || argv.machines > MAX_MACHINES)
    throw usage(`--machines ${argv.machines} is no number from 1 to ${MAX_MACHINES}`);
  const startAt = Date.parse(argv.start);
  if (Number.isNaN(startAt)) throw usage(`--start ${argv.start} is no time such as 2026-01-05T09:00:00Z`);
  return {
    machines: argv.machines,
    seed: argv.seed,
    policy: await readPolicy(argv.policy),
    failing,
    how: argv.how,
    startAt,
    limitMs: duration('limit', argv.limit),
    outage: readOutage(argv.outage),
    delays: {
      downloadMs: duration('download', argv.download),
      rebootWaitMs: duration('reboot-wait', argv['reboot-wait']),
      bootMs: duration('boot', argv.boot),
      trialMs: duration('trial', argv.trial),
    },
  };
}

async function readPolicy(path: string | undefined): Promise<RolloutPolicy> {
  if (path === undefined) return parsePolicy({}, 'the default policy');
  const yaml = parseYaml(await readFile(path, 'utf8'), {
    version: '1.2',
    maxAliases: 0,
    maxCharacters: MAX_POLICY_CHARACTERS,
  });
  // An empty file is the default policy.
  return parsePolicy(plainValue(yaml) ?? {}, path);
}

function readOutage(text: string | undefined): Scenario['outage'] {
  if (text === undefined) return null;
  const [after = '', length = '', ...rest] = text.split('+');
  if (rest.length > 0) throw usage(`--outage ${text} is not like 2h+30m`);
  return {afterMs: duration('outage', after), lengthMs: duration('outage', length)};
}

function duration(name: string, text: string): number {
  const ms = parseGoDuration(text);
  if (ms === null || ms < 0)
    throw usage(`--${name} has ${JSON.stringify(text)}, which is no duration such as 1h30m`);
  return ms;
}

function usage(message: string): RehearseUsageError {
  return new RehearseUsageError('usage', message);
}
