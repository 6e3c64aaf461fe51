import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Argv, ExecError, type ExecErrorCode, exec, quoteArgv, start} from '../../../platform/exec.ts';

const folder = await mkdtemp(join(tmpdir(), 'exec-'));
after(() => rm(folder, {recursive: true}));

/** A program that is there wherever the tests run. */
function node(script: string, ...args: string[]): Argv {
  return [process.execPath, '-e', script, ...args];
}

async function refuses(code: ExecErrorCode, pattern: RegExp, action: Promise<unknown>): Promise<ExecError> {
  const error: unknown = await action.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ExecError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  return error;
}

describe('exec', () => {
  it('gives output and passes on arguments as they are', async () => {
    const words = ['$HOME', '; rm -rf /', '*', '', 'a b', "it's", '\n'];
    const {stdout, stderr, exitCode} = await exec(
      node('console.log(JSON.stringify(process.argv.slice(1))); console.error("note")', ...words),
    );
    assert.deepEqual(JSON.parse(stdout), words);
    assert.equal(stderr, 'note\n');
    assert.equal(exitCode, 0);
  });

  it('explains a failure: reason, command, standard error, standard output', async () => {
    const argv = node('console.log("output"); console.error("the reason"); process.exitCode = 3');
    const error = await refuses('failed', /^command failed with exit code 3: .*node -e '/, exec(argv));
    assert.match(error.message, /\nthe reason\noutput$/);
    assert.equal(error.exitCode, 3);
    assert.equal(error.stderr, 'the reason\n');
    assert.deepEqual(error.argv, argv);
    assert.equal((await exec(argv, {okCodes: [0, 3]})).exitCode, 3);
  });

  it('keeps the message short when the output is long', async () => {
    const many = node('for (let i = 0; i < 1000; i++) console.error("line " + i); process.exitCode = 1');
    const {message} = await refuses('failed', /line 999$/, exec(many));
    assert.equal(message.split('\n').length, 41);
    assert.match(message, /\nline 960\n/);
  });

  it('tells a program that is not there from a directory that is not', async () => {
    await refuses('not-found', /^command no-such-program was not found/, exec(['no-such-program']));
    await refuses(
      'failed',
      /directory .*nowhere does not exist/,
      exec(node('0'), {cwd: join(folder, 'nowhere')}),
    );
    await refuses('failed', /EACCES/, exec(['/etc/passwd']));
  });

  it('kills what takes too long', async () => {
    const startedAt = performance.now();
    await refuses(
      'timed-out',
      /^command took too long/,
      exec(node('setTimeout(() => 0, 60000)'), {timeoutMs: 300}),
    );
    assert.ok(performance.now() - startedAt < 40_000);
  });

  it('kills when told to stop, also what is deaf to SIGTERM', async () => {
    const stopping = new AbortController();
    const deaf = exec(
      node('process.on("SIGTERM", () => 0); console.log("ready"); setInterval(() => 0, 1000)'),
      {
        signal: stopping.signal,
        onLine: () => stopping.abort(),
      },
    );
    await refuses('cancelled', /^command was cancelled/, deaf);
    await refuses('cancelled', /cancelled/, exec(node('0'), {signal: AbortSignal.abort()}));
  });

  it('says which signal ended a program', async () => {
    await refuses('failed', /^command ended by SIGKILL/, exec(node('process.kill(process.pid, "SIGKILL")')));
  });

  it('takes input, environment and directory', async () => {
    const show =
      'process.stdin.pipe(process.stdout); console.log(process.cwd(), process.env.GIVEN, process.env.GONE)';
    process.env['GONE'] = 'x';
    const {stdout} = await exec(node(show), {
      stdin: 'input',
      cwd: folder,
      env: {GIVEN: 'y', GONE: undefined},
    });
    delete process.env['GONE'];
    assert.equal(stdout, `${folder} y undefined\ninput`);
    assert.equal((await exec(node('process.stdin.pipe(process.stdout)'))).stdout, '');
  });

  it('writes large output to a file, and lines as they come to a listener', async () => {
    const lines: string[] = [];
    const script = 'process.stdout.write("a\\nb\\r\\nc\\rd"); process.stderr.write("e\\n")';
    await exec(node(script), {onLine: (line) => lines.push(line)});
    assert.deepEqual(lines.sort(), ['a', 'b', 'c', 'd', 'e']);
    const stdoutFile = join(folder, 'output');
    const {stdout} = await exec(node('process.stdout.write("x".repeat(5e6))'), {stdoutFile});
    assert.equal(stdout.length, 0);
    assert.equal((await readFile(stdoutFile)).length, 5e6);
  });
});

describe('start', () => {
  it('streams, takes input and tells the end', async () => {
    const child = start(node('process.stdin.pipe(process.stdout)'));
    child.stdin.end('echo');
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    assert.equal(text, 'echo');
    assert.deepEqual(await child.ended.then(({exitCode, signal}) => [exitCode, signal]), [0, undefined]);
    await child.finished();
  });

  it('tells a bad end without an exception, and by one when asked', async () => {
    const child = start(node('console.error("why"); process.exitCode = 4'));
    const end = await child.ended;
    assert.equal(end.exitCode, 4);
    assert.equal(end.stderr, 'why');
    await refuses('failed', /exit code 4.*\nwhy$/s, child.finished());
    await refuses('not-found', /no-such-program/, start(['no-such-program']).finished());
  });

  it('stops when it is told to', async () => {
    const child = start(node('setInterval(() => 0, 1000)'));
    await sleep(100);
    child.kill();
    assert.equal((await child.ended).signal, 'SIGTERM');
    const stopping = new AbortController();
    const other = start(node('setInterval(() => 0, 1000)'), {signal: stopping.signal});
    stopping.abort();
    assert.equal((await other.ended).exitCode, undefined);
    await refuses('cancelled', /cancelled/, other.finished());
  });

  it('writes its output to a log', async () => {
    const logFile = join(folder, 'log');
    await start(node('console.log("logged")'), {logFile}).ended;
    await sleep(100);
    assert.equal(await readFile(logFile, 'utf8'), 'logged\n');
  });
});

describe('quoteArgv', () => {
  it('writes a command as one would type it', () => {
    assert.equal(
      quoteArgv(['cp', '--reflink=auto', '/a/b-c_d.e', '', 'a b', "it's", '$x']),
      `cp --reflink=auto /a/b-c_d.e '' 'a b' 'it'\\''s' '$x'`,
    );
  });
});
