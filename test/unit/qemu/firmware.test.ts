import assert from 'node:assert/strict';
import {chmod, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {QemuError} from '../../../qemu/errors.ts';
import {ensureFirmwareVars, findFirmware, FIRMWARE_PLACES} from '../../../qemu/firmware.ts';

describe('findFirmware', () => {
  it('takes the first place of which code and variables exist', async () => {
    const [, second, third] = FIRMWARE_PLACES;
    assert.ok(second !== undefined && third !== undefined);
    const there = new Set([second.code, third.code, third.varsTemplate]);
    assert.deepEqual(await findFirmware((path) => Promise.resolve(there.has(path))), third);
  });

  it('names the package when there is none', async () => {
    await assert.rejects(
      findFirmware(() => Promise.resolve(false)),
      (error) => {
        assert.ok(error instanceof QemuError);
        assert.equal(error.code, 'no-firmware');
        assert.match(error.hint ?? '', /package ovmf/);
        assert.match(error.message, /\/usr\/share\/OVMF\/OVMF_CODE_4M\.fd/);
        return true;
      },
    );
  });
});

describe('ensureFirmwareVars', () => {
  it('copies a read-only template to a writable file, once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vars-'));
    try {
      const firmware = {code: '', varsTemplate: join(folder, 'template')};
      await writeFile(firmware.varsTemplate, 'empty');
      await chmod(firmware.varsTemplate, 0o444);
      const vars = join(folder, 'vars');
      await ensureFirmwareVars(firmware, vars);
      assert.equal((await stat(vars)).mode & 0o777, 0o600);
      await writeFile(vars, 'written');
      await ensureFirmwareVars(firmware, vars);
      assert.equal(await readFile(vars, 'utf8'), 'written');
    } finally {
      await rm(folder, {recursive: true});
    }
  });
});
