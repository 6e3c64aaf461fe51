/**
 * Plain text from what a terminal is sent: escape sequences and control characters taken out, chunk by chunk.
 *
 * The sequences of ECMA-48 (section 5.4 for CSI, 5.6 for strings), by a state machine: it needs no memory of what a
 * chunk cut off, and a sequence that never ends stops hiding text at the end of the line.
 */
type State = 'text' | 'escape' | 'intermediate' | 'csi' | 'string' | 'string-escape';

const ESCAPE = '\u001B';
const BELL = '\u0007';

export class TerminalText {
  #state: State = 'text';

  push(chunk: string): string {
    let plain = '';
    for (const character of chunk) {
      const isShown =
        character === '\n' || character === '\t' || (character >= ' ' && character !== '\u007F');
      const before = this.#state;
      this.#state = next(before, character);
      if (isShown && (before === 'text' || character === '\n')) plain += character;
    }
    return plain;
  }
}

function next(state: State, character: string): State {
  if (character === '\n') return 'text';
  if (character === ESCAPE) return state === 'string' ? 'string-escape' : 'escape';
  switch (state) {
    case 'text':
      return 'text';
    case 'escape':
      if (character === '[') return 'csi';
      if (']PX^_'.includes(character)) return 'string';
      return isIntermediate(character) ? 'intermediate' : 'text';
    case 'intermediate':
      return isIntermediate(character) ? 'intermediate' : 'text';
    case 'csi':
      // Parameters and intermediates (0x20 to 0x3f) up to one final byte; a control character breaks it off.
      return character >= ' ' && character < '@' ? 'csi' : 'text';
    case 'string':
      return character === BELL ? 'text' : 'string';
    case 'string-escape':
      // ST, the terminator, is ESC and a backslash; any other sequence ends the string too.
      return character === '\\' ? 'text' : next('escape', character);
  }
}

function isIntermediate(character: string): boolean {
  return character >= ' ' && character < '0';
}
