/** Says something on the terminals of everybody who is logged in. */
import {type Terminal, interactiveSessions} from '../../formats/logind.ts';
import type {Logind} from '../../platform/logind.ts';

export interface TerminalsWorld {
  readonly logind: Pick<Logind, 'sessions'>;
  readonly pseudoTerminals: () => Promise<readonly Terminal[]>;
  /** Whether it took the text. */
  readonly tell: (path: string, text: string) => Promise<boolean>;
  readonly signal: AbortSignal;
}

const BELL = '\u0007';

/** The terminals that took the text. Throws LogindError, and what listing terminals throws. */
export async function tellTerminals(
  text: string,
  {logind, pseudoTerminals, tell, signal}: TerminalsWorld,
): Promise<readonly string[]> {
  const sessions = interactiveSessions(await logind.sessions(signal), await pseudoTerminals());
  const paths = [...new Set(sessions.flatMap(({terminals}) => terminals))].sort();
  const message = `\n${BELL}\n${text}\n\n`;
  const took = await Promise.all(paths.map(async (path) => ((await tell(path, message)) ? [path] : [])));
  return took.flat();
}
