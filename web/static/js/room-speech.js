/**
 * What a room says aloud, apart from its ticking clock. Polite sentences share one region and are spoken at most once in
 * four seconds, where only the latest of each kind is kept; what concerns the bidder goes out at once.
 */
import { announce } from "./room-text.js";

const PAUSE = 4000;

export class Speech {
  #waiting = new Map();
  #timer = 0;
  #last = -PAUSE;

  constructor(region) { this.region = region; }

  /** Speak when there is room for it; a later sentence of the same kind replaces one that waits. */
  say(text, kind = "room") {
    if (!text.trim()) return;
    this.#waiting.delete(kind);
    this.#waiting.set(kind, text);
    if (!this.#timer) this.#timer = setTimeout(() => this.#speak(), Math.max(100, PAUSE - (performance.now() - this.#last)));
  }

  /** Speak now. */
  alarm(text) { announce(text, true); }

  #speak() {
    this.#timer = 0;
    this.#last = performance.now();
    const text = [...this.#waiting.values()].join(" · ");
    this.#waiting.clear();
    if (this.region) this.region.textContent = text;
  }
}

/** Two tones, only when asked for. */
export class Tones {
  #audio = null;

  constructor(box) {
    box?.addEventListener("change", () => {
      this.#audio = box.checked ? new AudioContext() : null;
      this.play(520);
    });
  }

  play(pitch) {
    if (!this.#audio) return;
    const at = this.#audio.currentTime;
    const tone = this.#audio.createOscillator();
    const gain = this.#audio.createGain();
    gain.gain.setValueAtTime(0.15, at);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.4);
    tone.frequency.value = pitch;
    tone.connect(gain).connect(this.#audio.destination);
    tone.start();
    tone.stop(at + 0.4);
  }
}
