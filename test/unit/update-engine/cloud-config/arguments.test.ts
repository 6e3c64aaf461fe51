import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {UsageError, parseArguments} from '../../../../update-engine/cloud-config/arguments.ts';
import {parseSettings} from '../../../../update-engine/cloud-config/settings.ts';

describe('parseArguments', () => {
  it('reads commands and options', () => {
    const apply = {verb: 'apply', place: null, isDryRun: false, isJson: false, isBoot: false};
    assert.deepEqual(parseArguments([]), apply);
    assert.deepEqual(parseArguments(['apply', '--boot']), {...apply, isBoot: true});
    assert.deepEqual(parseArguments(['apply', 'a.yml', '--dry-run', '--json']), {
      ...apply,
      place: 'a.yml',
      isDryRun: true,
      isJson: true,
    });
    assert.deepEqual(parseArguments(['validate', '-']), {verb: 'validate', place: '-', isJson: false});
    assert.deepEqual(parseArguments(['status']), {verb: 'status', isJson: false});
    assert.equal(parseArguments(['--help']).verb, 'help');
  });

  it('understands the flags of coreos-cloudinit', () => {
    assert.deepEqual(parseArguments(['--from-file=/a']), {
      verb: 'apply',
      place: '/a',
      isDryRun: false,
      isJson: false,
      isBoot: false,
    });
    assert.deepEqual(parseArguments(['-from-file', '/a', '-validate']), {
      verb: 'validate',
      place: '/a',
      isJson: false,
    });
    assert.deepEqual(parseArguments(['--validate', '--from-url=http://a/']), {
      verb: 'validate',
      place: 'http://a/',
      isJson: false,
    });
  });

  it('refuses what it does not know', () => {
    for (const words of [['go'], ['apply', 'a', 'b'], ['validate'], ['--x'], ['--from-file'], ['--json=1']])
      assert.throws(() => parseArguments(words), UsageError, words.join(' '));
  });
});

describe('settings of the program', () => {
  it('come from its file, and from the kernel above that', () => {
    assert.equal(parseSettings('', '').githubApi, 'https://api.github.com');
    assert.equal(
      parseSettings('GITHUB_API=https://git.example.com/api/v3/\n', 'quiet').githubApi,
      'https://git.example.com/api/v3',
    );
    assert.equal(
      parseSettings('GITHUB_API=https://a.example', 'x caisson.github-api=http://10.0.2.2:80 y').githubApi,
      'http://10.0.2.2:80',
    );
    assert.deepEqual(parseSettings('GITHUB_API=ftp://a\nCA_FILE=ca.pem\n', '').problems.length, 2);
    assert.equal(parseSettings('CA_FILE=/etc/ca.pem\n', '').caFile, '/etc/ca.pem');
  });
});
