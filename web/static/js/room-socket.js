/**
 * The line to a room: one socket that greets, resumes, comes back by itself and notices when it is dead.
 *
 * `hooks`: hello() → {epoch, resume_after_seq}; message(parsed); state("on" | "wait" | "off", why).
 * Close codes are those of the protocol (docs/live-room.md).
 */
const SILENCE = 25000;
const PROBE = 3000;
const STANDBY = 4000;
const FINAL = { 4400: "bad_message", 4401: "session_ended", 4403: "forbidden", 4404: "no_such_lot" };

export class Line {
  #socket = null;
  #tries = 0;
  #heard = 0;
  #timer = 0;
  #probe = 0;
  #over = false;
  #woke = Date.now() - performance.now();

  constructor(address, hooks) {
    this.address = address;
    this.hooks = hooks;
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.check(); });
    window.addEventListener("online", () => this.check());
    window.addEventListener("offline", () => this.check());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.check(); });
    setInterval(() => this.#watch(), 1000);
  }

  get open() { return this.#socket?.readyState === WebSocket.OPEN; }

  connect() {
    if (this.#over) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.hooks.state("wait");
    const socket = new WebSocket(this.address);
    this.#socket = socket;
    this.#heard = performance.now();
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      this.#heard = performance.now();
      this.send({ type: "hello", ...this.hooks.hello() });
      this.time();
    });
    socket.addEventListener("message", (event) => {
      if (socket !== this.#socket) return;
      this.#heard = performance.now();
      this.hooks.message(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      if (event.code in FINAL) this.#end(FINAL[event.code]);
      else this.#again();
    });
  }

  /** Something came that shows the line to be well: pauses start short again. */
  well() { this.#tries = 0; this.hooks.state("on"); }

  send(message) {
    if (!this.open) return false;
    this.#socket.send(JSON.stringify({ v: 1, ...message }));
    return true;
  }

  /** Ask the time a few times, 150 ms apart. */
  time(times = 5) {
    for (let i = 0; i < times; i += 1) setTimeout(() => this.send({ type: "ping", sent: performance.now() }), i * 150);
  }

  /** Drop what there is and come back: at once, or after a pause that the server named. */
  renew(after = 0) {
    const old = this.#socket;
    this.#socket = null;
    old?.close();
    this.#again(after);
  }

  /** Is anybody there? Ask, and start anew when no answer comes soon. Also when one has been away. */
  check() {
    if (this.#over) return;
    if (!this.open) { if (navigator.onLine !== false) { this.#tries = 0; this.renew(); } return; }
    const asked = performance.now();
    this.hooks.woke?.();
    this.time(3);
    clearTimeout(this.#probe);
    this.#probe = setTimeout(() => { if (this.#heard < asked) { this.#tries = 0; this.renew(); } }, PROBE);
  }

  #watch() {
    // The monotonic clock stands still in standby on some systems, the wall clock does not.
    const woke = Date.now() - performance.now();
    const slept = woke - this.#woke;
    this.#woke = woke;
    if (Math.abs(slept) > STANDBY) this.check();
    else if (this.#socket && performance.now() - this.#heard > SILENCE) this.renew();
  }

  #again(after) {
    if (this.#over) return;
    this.hooks.state("wait", after ? "draining" : "");
    const pause = after ?? Math.min(15000, 400 * 2 ** this.#tries) * (0.5 + Math.random());
    if (after === undefined) this.#tries += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), pause);
  }

  #end(why) { this.#over = true; this.hooks.state("off", why); }
}
