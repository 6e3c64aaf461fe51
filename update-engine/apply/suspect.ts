/** The one failure after which a resumed run begins again by itself. */
import {PayloadError} from '../../formats/payload/types.ts';

/** The whole is wrong though each part was right: what an earlier run left may be to blame; one from the start tells. */
export class SuspectError extends PayloadError {}
