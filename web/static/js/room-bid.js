/**
 * Bids on their way. A bid gets its id here before it is sent and stays in storage until it is answered; when the socket
 * stalls, the same id goes by HTTP and gets the same answer, also after a reload.
 *
 * `hooks`: send(message) → whether the socket took it; answered(answer, bid, accepted); state("sending" | "http" | "unsure" | "").
 */
const PATIENCE = 4000;

const hex = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => b.toString(16).padStart(2, "0")).join("");

export class Bids {
  #timer = 0;
  #asking = "";
  pending = null;

  constructor({ key, address, hooks }) {
    this.key = key;
    this.address = address;
    this.hooks = hooks;
  }

  /** Take up what a reload or a crash left unanswered. */
  restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? "null");
      if (kept?.client_bid_id) this.pending = { act: "bid", extra: {}, ...kept, sent: 0 };
    } catch { /* storage may be off */ }
    if (this.pending) { this.hooks.state("unsure"); this.#dispatch(); }
  }

  /** Place a bid; false while another is unanswered. */
  place(act, amount_fen, extra = {}) {
    if (this.pending) return false;
    this.pending = { client_bid_id: hex(16), act, amount_fen, extra, sent: 0 };
    this.#keep();
    this.hooks.state("sending");
    this.#dispatch();
    return true;
  }

  /** The line is back: send what is unanswered again. */
  resend() { if (this.pending && performance.now() - this.pending.sent > PATIENCE / 2) this.#dispatch(); }

  /** An answer, by whichever way; others' and old ones are ignored. */
  take(answer) {
    const bid = this.pending;
    if (!bid || answer.client_bid_id !== bid.client_bid_id) return;
    const accepted = answer.type === "receipt";
    if (!accepted && answer.retry) {
      clearTimeout(this.#timer);
      this.hooks.state("unsure");
      this.#timer = setTimeout(() => this.#dispatch(), 500 + Math.random() * 1000);
      return;
    }
    clearTimeout(this.#timer);
    this.pending = null;
    this.#keep();
    this.hooks.state("");
    this.hooks.answered(answer, bid, accepted);
  }

  #message() {
    const { client_bid_id, act, amount_fen, extra } = this.pending;
    // The plain bid is sent as it always was: its id stands for these fields.
    return { client_bid_id, ...(act === "bid" ? {} : { act }), ...(amount_fen === null ? {} : { amount_fen }), ...(Object.keys(extra).length ? { extra } : {}) };
  }

  #dispatch() {
    const bid = this.pending;
    if (!bid) return;
    clearTimeout(this.#timer);
    bid.sent = performance.now();
    const sent = this.hooks.send({ type: "bid", ...this.#message() });
    this.#timer = setTimeout(() => this.#byHttp(bid.client_bid_id), sent ? PATIENCE : 0);
  }

  async #byHttp(id) {
    if (this.pending?.client_bid_id !== id || this.#asking === id) return;
    if (!this.address) { this.#later(id); return; }
    this.#asking = id;
    this.hooks.state("http");
    try {
      const response = await fetch(this.address, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(this.#message()), signal: AbortSignal.timeout(PATIENCE * 2),
      });
      const answer = await response.json();
      this.#asking = "";
      if (answer.type) this.take(answer);
      else if (response.status >= 500 || response.status === 429) this.#later(id);
      else this.take({ type: "refused", client_bid_id: id, code: answer.code ?? "", sentence: answer.title });
    } catch {
      this.#asking = "";
      this.#later(id);
    }
  }

  #later(id) {
    if (this.pending?.client_bid_id !== id) return;
    this.hooks.state("unsure");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dispatch(), 1500 + Math.random() * 1500);
  }

  #keep() {
    try {
      if (this.pending) localStorage.setItem(this.key, JSON.stringify({ ...this.pending, sent: undefined }));
      else localStorage.removeItem(this.key);
    } catch { /* storage may be off */ }
  }
}
