import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {HELP, parseInstallArguments} from '../../../../update-engine/installer/arguments.ts';
import {InstallerError} from '../../../../update-engine/installer/errors.ts';

describe('the arguments of caisson-install', () => {
  it('are those of coreos-install where both have one', () => {
    const command = parseInstallArguments([
      '-d',
      '/dev/sda',
      '-C',
      'beta',
      '-i',
      'config.ign',
      '-o',
      'metal',
    ]);
    assert.ok(command.verb === 'install');
    assert.equal(command.device, '/dev/sda');
    assert.deepEqual(command.source, {kind: 'server', channel: 'beta', version: null});
    assert.deepEqual(
      [command.ignition, command.oem, command.force, command.isDryRun],
      [...['config.ign', 'metal', false, false]],
    );
  });

  it('list disks when none is named', () => {
    assert.deepEqual(parseInstallArguments([]), {verb: 'list', isJson: false, isAsked: false});
    assert.deepEqual(parseInstallArguments(['--list', '--json']), {
      verb: 'list',
      isJson: true,
      isAsked: true,
    });
    assert.deepEqual(parseInstallArguments(['-h']), {verb: 'help'});
  });

  it('are refused when they contradict each other or mean nothing', () => {
    for (const words of [
      ['-d', '/dev/sda', '-f', 'x', '-C', 'beta'],
      ['-d', '/dev/sda', '-f', 'x', '-V', '1.0.0'],
      ['-d', '/dev/sda', '-f', 'x', '-s', 'http://localhost/'],
      ['-d', '/dev/sda', '-s', 'ftp://localhost/'],
      ['-d', '/dev/sda', '--sector-size', '2048'],
      ['/dev/sda'],
      ['--nonsense'],
    ])
      assert.throws(
        () => parseInstallArguments(words),
        (error: unknown) => error instanceof InstallerError && error.code === 'usage',
        words.join(' '),
      );
  });

  it('are all told by the help', () => {
    for (const option of [
      '--device',
      '--file',
      '--ignition',
      '--oem',
      '--key',
      '--force',
      '--list',
      '--json',
    ])
      assert.match(HELP, new RegExp(option));
  });
});
