import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {packInstaller} from '../../../build/installer.ts';
import {ASSETS_VARIABLE, embeddedAssets, readSelector} from '../../../update-engine/installer/assets.ts';
import {InstallerError} from '../../../update-engine/installer/errors.ts';

const globals = globalThis as Record<string, unknown>;

describe('the installer as one file', () => {
  const selector = Buffer.from('selector');
  const text = packInstaller({
    program: '#!/usr/bin/node\nconsole.log(1);\n',
    selector,
    keys: [{name: 'update', pem: 'PEM'}],
    channelKeys: [{name: 'channel', pem: 'PEM 2'}],
  });
  const [hashbang, assets = '', ...rest] = text.split('\n');

  it('starts with what any Linux has, and keeps the program', () => {
    assert.equal(hashbang, '#!/usr/bin/env node');
    assert.deepEqual(rest, ['console.log(1);', '']);
  });

  it('gives the program what it looks for', async () => {
    const [, name, json = ''] = /^globalThis\.(\w+) = (.*);$/.exec(assets) ?? [];
    assert.equal(name, ASSETS_VARIABLE);
    try {
      globals[ASSETS_VARIABLE] = JSON.parse(json);
      const found = embeddedAssets();
      assert.deepEqual(Buffer.from(await readSelector(found)), selector);
      assert.deepEqual(found?.keys, [{name: 'update', pem: 'PEM'}]);
      assert.deepEqual(found.channelKeys, [{name: 'channel', pem: 'PEM 2'}]);
      globals[ASSETS_VARIABLE] = {...(JSON.parse(json) as object), selector: 'AAAA'};
      await assert.rejects(readSelector(embeddedAssets()), InstallerError);
    } finally {
      Reflect.deleteProperty(globals, ASSETS_VARIABLE);
    }
  });
});
