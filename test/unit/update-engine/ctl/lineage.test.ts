import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {formatLineageStatus, parseLineage} from '../../../../update-engine/ctl/lineage.ts';
import {AT, sampleStatus} from '../../../support/status-sample.ts';

describe('formatLineageStatus', () => {
  it('prints the five lines that scripts parse', () => {
    assert.equal(
      formatLineageStatus(sampleStatus()),
      `LAST_CHECKED_TIME=${AT / 1000 - 60}\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0.0\nNEW_SIZE=0\n`,
    );
  });

  it('tells how far a download is', () => {
    const status = sampleStatus({
      state: 'DOWNLOADING',
      lastCheck: null,
      offer: {version: '1.5.0', bytes: 3000},
      progress: {doneBytes: 1000, totalBytes: 3000, bytesPerSecond: 10, secondsLeft: 200},
    });
    assert.equal(
      formatLineageStatus(status),
      'LAST_CHECKED_TIME=0\nPROGRESS=0.333333\nCURRENT_OP=UPDATE_STATUS_DOWNLOADING\nNEW_VERSION=1.5.0\nNEW_SIZE=3000\n',
    );
  });
});

describe('parseLineage', () => {
  it('takes one hyphen or two', () => {
    assert.deepEqual(parseLineage(['-status']), {flag: 'status'});
    assert.deepEqual(parseLineage(['--check_for_update']), {flag: 'check_for_update'});
    assert.deepEqual(parseLineage(['-reset_status=true']), {flag: 'reset_status'});
    assert.deepEqual(parseLineage([]), {flag: 'status'});
    assert.deepEqual(parseLineage(['-help']), {flag: 'help'});
  });

  it('refuses anything else', () => {
    for (const words of [['status'], ['-frob'], ['-update', '-status'], ['-status=false']])
      assert.ok('problem' in parseLineage(words), words.join(' '));
  });
});
