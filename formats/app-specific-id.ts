/**
 * A machine id for one purpose: derived from /etc/machine-id, which is not to be shown to other machines (machine-id(5)),
 * so that neither it nor the ids of other purposes can be told from it.
 */
import {createHmac} from 'node:crypto';
import {CodedError} from './errors.ts';

export class MachineIdError extends CodedError<'bad-machine-id'> {}

const ID = /^[0-9a-f]{32}$/;

/** Both as 32 hex digits; so is the result (sd_id128_get_machine_app_specific(3)). Throws MachineIdError. */
export function appSpecificId(machineId: string, applicationId: string): string {
  for (const id of [machineId, applicationId])
    if (!ID.test(id))
      throw new MachineIdError(
        'bad-machine-id',
        `${JSON.stringify(id.slice(0, 40))} is no machine id of 32 hex digits`,
      );
  const hmac = createHmac('sha256', Buffer.from(machineId, 'hex'));
  const bytes = hmac.update(Buffer.from(applicationId, 'hex')).digest().subarray(0, 16);
  // A random UUID, RFC 9562 section 5.4.
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex');
}
