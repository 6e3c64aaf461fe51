/** What can go wrong with a cluster, beyond its machines. */
import {CodedError} from '../../formats/errors.ts';

/** `stopped`: someone asked for it. `refused`: something is not as it must be. */
export class ClusterError extends CodedError<'no-cluster' | 'running' | 'refused' | 'stopped' | 'usage'> {}
