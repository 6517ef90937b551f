/**
 * The server's time as well as this page can know it: the sample with the shortest round trip counts, and half of that
 * trip is how wrong it may be. The clock of the device is only compared with it.
 */
const KEPT = 8;
const LEAST_MARGIN = 500;

export class Clock {
  #samples = [];
  #stale = [];

  /** A ping's answer: `sent` is performance.now() at sending. */
  sample(sent, serverTime) {
    const back = performance.now();
    const trip = back - sent;
    this.#samples.push({ trip, offset: Date.parse(serverTime) + trip / 2 - back });
    if (this.#samples.length > KEPT) this.#samples.shift();
    this.#stale = [];
  }

  /** Begin anew; until the first answer the old samples stand. */
  forget() {
    if (this.#samples.length) this.#stale = this.#samples;
    this.#samples = [];
  }

  get #used() { return this.#samples.length ? this.#samples : this.#stale; }
  get #best() { return this.#used.reduce((a, b) => (b.trip < a.trip ? b : a), { trip: Infinity, offset: Date.now() - performance.now() }); }

  get known() { return this.#used.length > 0; }

  /** Server time, in milliseconds since 1970. */
  now() { return performance.now() + this.#best.offset; }

  /** How wrong that may be, ms; Infinity before the first sample. */
  get uncertainty() { return this.#best.trip / 2; }

  /** The shortest and the longest round trip of late, ms. */
  get trip() { return this.#best.trip; }
  get longestTrip() { return Math.max(...this.#used.map((one) => one.trip)); }

  /** How far the device's clock is ahead of the server's, ms. */
  get deviceAhead() { return Date.now() - this.now(); }

  /** How long before the end a bid should leave so that it surely arrives in time, ms, in tenths of a second. */
  get safeMargin() { return Math.ceil(Math.max(LEAST_MARGIN, this.longestTrip + this.uncertainty) / 100) * 100; }
}
