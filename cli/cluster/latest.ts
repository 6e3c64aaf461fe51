/**
 * The latest answer to a question that may take long: asked again when someone wants to know, by one question at a
 * time, and waited for only so long. Whoever is late is shown as he was, with the age of what is known.
 */
export interface Latest<T> {
  /** Null until there was an answer. */
  value: T | null;
  /** Why the question asked last failed, or that its answer is late; null when it was answered. */
  failure: string | null;
}

export class LatestAnswer<T> {
  readonly #ask: () => Promise<T>;
  readonly #patienceMs: number;
  #latest: Latest<T> = {value: null, failure: null};
  #underWay: Promise<void> | undefined;

  constructor(ask: () => Promise<T>, patienceMs: number) {
    this.#ask = ask;
    this.#patienceMs = patienceMs;
  }

  /** Asks, and tells what is known when the answer is there or patience is over. Never rejects. */
  async get(): Promise<Latest<T>> {
    this.#underWay ??= this.#refresh();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), this.#patienceMs);
    });
    const isLate = (await Promise.race([this.#underWay, late])) === 'late';
    clearTimeout(timer);
    if (!isLate) return this.#latest;
    return {value: this.#latest.value, failure: this.#latest.failure ?? 'does not answer at once'};
  }

  async #refresh(): Promise<void> {
    try {
      this.#latest = {value: await this.#ask(), failure: null};
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#latest = {value: this.#latest.value, failure: reason};
    } finally {
      this.#underWay = undefined;
    }
  }
}
