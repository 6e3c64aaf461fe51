/** Looks at user data without a host: everything that is wrong with it. */
import {parseCloudConfig} from '../../formats/cloud-config/parse.ts';
import type {Addresses} from '../../formats/cloud-config/substitute.ts';
import type {Finding} from '../../formats/cloud-config/types.ts';
import type {UserData} from '../../formats/cloud-config/user-data.ts';
import {YamlError} from '../../formats/yaml.ts';

/** Of documentation (RFC 5737, RFC 3849): which addresses a host has shows on the host. */
const SAMPLE: Addresses = {
  public_ipv4: '192.0.2.1',
  private_ipv4: '198.51.100.1',
  public_ipv6: '2001:db8::1',
  private_ipv6: '2001:db8::2',
};

export interface Validation {
  readonly findings: readonly Finding[];
  readonly isValid: boolean;
  /** What it is, in a few words. */
  readonly what: string;
}

export function validateUserData(data: UserData): Validation {
  switch (data.kind) {
    case 'cloud-config':
      return validateConfig(data.text);
    case 'script':
      return {findings: [], isValid: true, what: 'a script, which is run at every boot'};
    case 'ignition':
      return {findings: [], isValid: true, what: 'a config for Ignition, which is left to it'};
    case 'empty':
      return {findings: [], isValid: true, what: 'empty: nothing would be done'};
  }
}

function validateConfig(text: string): Validation {
  const what = 'a cloud-config';
  try {
    const {findings} = parseCloudConfig(text, SAMPLE);
    return {findings, isValid: findings.every(({kind}) => kind === 'warning'), what};
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const {line, column} = error.place ?? {line: 0, column: 0};
    const text =
      error.place === null ? error.message : error.message.replace(/ at line \d+, column \d+$/, '');
    return {findings: [{kind: 'error', line, column, text}], isValid: false, what};
  }
}
