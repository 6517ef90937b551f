/**
 * Envelopes of sealed bids. A slip is `lot:alias:amount:nonce`, its SHA-256 the seal that is sent; the slip stays on this
 * device and with the bidder. web/slips.py makes and reads the same.
 */
import { sha256 } from "./sha256.js";

const SLIP = /(?<!\d)(\d{1,18}):(\d{1,9}):(\d{1,15}):([0-9a-f]{32,64})(?![0-9a-f])/;
const KEPT = 20;

/** A new slip, with a nonce that nobody can guess. */
export function makeSlip(lot, alias, amount_fen) {
  const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  return { lot, alias, amount_fen, nonce };
}

export const slipLine = ({ lot, alias, amount_fen, nonce }) => `${lot}:${alias}:${amount_fen}:${nonce}`;

/** The seal of a slip. */
export const sealOf = (slip) => sha256(slipLine(slip));

/** The first slip in a text, which may be a whole printed page; null where there is none. */
export function readSlip(text) {
  const match = SLIP.exec(text);
  return match ? { lot: Number(match[1]), alias: Number(match[2]), amount_fen: Number(match[3]), nonce: match[4] } : null;
}

/** The slips that this device keeps for a lot and bidder, by seal. */
export class Drawer {
  constructor(lot, alias) { this.key = `slips:${lot}:${alias}`; }

  all() {
    try { return JSON.parse(localStorage.getItem(this.key) ?? "{}"); } catch { return {}; }
  }

  /** Keep a slip; false where the browser keeps nothing. */
  keep(seal, slip) {
    try {
      const kept = Object.entries({ ...this.all(), [seal]: slip }).slice(-KEPT);
      localStorage.setItem(this.key, JSON.stringify(Object.fromEntries(kept)));
      return this.find(seal) !== null;
    } catch { return false; }
  }

  find(seal) { return this.all()[seal] ?? null; }
}
