/**
 * When progress is written down. Operations are admitted in order, complete in any, and what counts is the unbroken
 * run from the front: all before a mark is written, then flushed, and only then is the mark saved. Saving happens beside
 * the operations that follow; one at a time.
 */

export interface CheckpointOptions<Mark> {
  /** Makes everything durable that completed before the call. */
  flush: () => Promise<void>;
  save: (mark: Mark) => Promise<void>;
  /** Bytes written between two savings. */
  everyBytes: number;
  everyMs: number;
  /** Milliseconds on any scale; without it only bytes count. */
  now: () => number;
  /** A saving failed. */
  onFailure: (error: unknown) => void;
}

export class Checkpoints<Mark> {
  readonly #options: CheckpointOptions<Mark>;
  /** Marks behind operations that were admitted, oldest first. */
  readonly #waiting: {mark: Mark; isComplete: boolean; bytes: number}[] = [];
  #reached: Mark | null = null;
  #bytes = 0;
  #savedAt: number;
  #saving: Promise<void> | null = null;
  #hasFailed = false;

  constructor(options: CheckpointOptions<Mark>) {
    this.#options = options;
    this.#savedAt = options.now();
  }

  /** The next operation begins. `mark` is what holds once it and all before it are complete; call the result then. */
  admit(mark: Mark, bytes: number): () => void {
    const entry = {mark, isComplete: false, bytes};
    this.#waiting.push(entry);
    return () => {
      entry.isComplete = true;
      this.#advance();
    };
  }

  /** Saves what was reached, if that is more than was saved. */
  async finish(): Promise<void> {
    while (this.#saving !== null) await this.#saving;
    if (this.#reached !== null && !this.#hasFailed) await this.#save(this.#reached);
  }

  #advance(): void {
    for (let [first] = this.#waiting; first?.isComplete === true; [first] = this.#waiting) {
      this.#waiting.shift();
      this.#reached = first.mark;
      this.#bytes += first.bytes;
    }
    this.#saveWhenDue();
  }

  #saveWhenDue(): void {
    const {everyBytes, everyMs, now, onFailure} = this.#options;
    if (this.#reached === null || this.#saving !== null || this.#hasFailed) return;
    if (this.#bytes < everyBytes && now() - this.#savedAt < everyMs) return;
    this.#saving = this.#save(this.#reached).then(
      () => {
        this.#saving = null;
        this.#saveWhenDue();
      },
      (error: unknown) => {
        this.#saving = null;
        this.#hasFailed = true;
        onFailure(error);
      },
    );
  }

  async #save(mark: Mark): Promise<void> {
    const {flush, save, now} = this.#options;
    this.#bytes = 0;
    this.#savedAt = now();
    await flush();
    await save(mark);
    if (this.#reached === mark) this.#reached = null;
  }
}
