/**
 * What a room shows, as functions of what is given to them: nothing here knows a page, a socket or a clock.
 * The bidder's page, the big screen and the replay all draw with these.
 *
 * A *view* is what a snapshot holds (`LotView` of the protocol), an *event* one journal entry as a frame,
 * `texts` the sentences that the server gives a room. Amounts are fen, instants UTC text, scores exact.
 */
import { fillIn, money } from "./room-text.js";

export const RECENT = 20;
export const UPCOMING = ["announced", "registration"];
export const BIDDING = ["live", "extending"];
export const STOPPED = ["paused", "suspended"];
export const ENDED = ["sold", "passed_in", "withdrawn", "cancelled", "defaulted"];
const WITH_REASON = ["paused", "suspended", "withdrawn", "cancelled", "defaulted"];
const WITH_HARD_END = ["outage_extended", "extended_together", "extended_by_hand"];

/* ---- the view after an event ---- */

/** A line of the list of recent bids, from a bid's event. */
export const bidLine = ({ seq, at, data }) => ({
  v: 1, seq, alias: data.alias, act: data.act ?? "bid", amount_fen: data.amount_fen, at, matched: data.matched, detail: data.detail ?? {},
});

/** The public outcome, from a closing entry's own fields. */
export const outcomeOf = ({ reason, winner, hammer_fen, reserve_fen, detail = {} }) => ({ reason, winner, hammer_fen, reserve_fen, detail });

/** The view after an event: what a fresh snapshot at its seq would hold. Mirrors `project` of auctions/protocol.py. */
export function project(view, event) {
  const next = { ...view, state: event.state, ends_at: event.ends_at };
  const { kind, data } = event;
  if (kind === "bid_accepted") {
    if (data.standing ?? true) {
      next.price_fen = data.amount_fen;
      next.leader = data.alias;
      next.next_fen = event.next_fen;
      next.step_fen = event.step_fen;
      next.lead_detail = data.detail ?? {};
    }
    next.bid_count = view.bid_count + 1;
    next.recent = [bidLine(event), ...view.recent].slice(0, RECENT);
  } else if (kind === "bidder_admitted") next.bidders_admitted = view.bidders_admitted + 1;
  else if (kind === "admission_revoked") next.bidders_admitted = view.bidders_admitted - 1;
  else if (kind === "opened") Object.assign(next, { opens_at: event.at, hard_end: data.hard_end });
  else if (kind === "resumed") Object.assign(next, { opens_at: data.opens_at, hard_end: data.hard_end, notice: null, stopped_at: null });
  else if (WITH_HARD_END.includes(kind)) {
    next.hard_end = data.hard_end;
    if (kind === "outage_extended") next.outages = view.outages + 1;
  } else if (kind === "announcement") next.notice = data.text;
  else if (kind === "closed") next.outcome = outcomeOf(data);
  if (STOPPED.includes(kind)) next.stopped_at = view.stopped_at ?? event.at;
  if (WITH_REASON.includes(kind)) next.notice = data.reason;
  return next;
}

/** The events in a message of the socket, in order: `event` alone, `events` bundled, or none. */
export const eventsIn = (message) => (message.type === "events" ? message.events : message.type === "event" ? [message] : []);

/* ---- who leads ---- */

/** "lead", "outbid" or "none". `seqs`: own accepted bids, of which only those already told count. */
export function standingOf(view, alias, seqs = [], seq = Infinity) {
  if (alias === null || alias === undefined || view.leader === null) return "none";
  if (view.leader === alias) return "lead";
  const told = [...seqs].some((own) => own <= seq);
  return told || view.recent.some((line) => line.alias === alias) ? "outbid" : "none";
}

/** The amounts that the buttons offer; none where nothing more can be bid. */
export function choices(view, places = [0, 1, 2, 5, 10, 20]) {
  if (view.next_fen === null) return [];
  const all = places.map((place) => view.next_fen + view.step_fen * place);
  return view.cap_fen === null ? all : all.filter((fen) => fen <= view.cap_fen);
}

/** How many steps an amount lies above the least one. */
export const jump = (view, fen) => (view.next_fen === null || !view.step_fen ? 0 : (fen - view.next_fen) / view.step_fen);
export const LARGE_JUMP = 10;

/* ---- time ---- */

/** The instant that the clock counts down to. */
export const target = (view) => (UPCOMING.includes(view.state) ? view.opens_at : view.ends_at);

const two = (n) => String(n).padStart(2, "0");

/** Seconds as a clock shows them: 1d 02:03:04. `day` is the word for days. */
export function face(seconds, day = "d") {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86400);
  const rest = `${two(Math.floor((whole % 86400) / 3600))}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return days ? `${days}${day} ${rest}` : rest;
}

/** An instant as the server writes it: 2026-11-23 21:05:09, in Shanghai. `at` is text or milliseconds. */
export const stamp = (at) => new Date(at).toLocaleString("sv-SE", { timeZone: "Asia/Shanghai" });

/** The time of day of an instant, 21:05:09. */
export const timeOfDay = (at) => stamp(at).slice(11);

/** The same to a tenth of a second, 21:05:09.3. */
export const preciseTime = (at) => `${timeOfDay(at)}.${Math.floor((new Date(at).getTime() % 1000) / 100)}`;

/* ---- the falling price (auctions/rules/formats/dutch.py) ---- */

/** How many prices there are, from the start price to the floor. */
export const dutchSteps = (view) => Math.ceil((view.start_fen - view.params.floor_fen) / view.params.decrement_fen) + 1;

/** What a step asks, fen. */
export const dutchPrice = (view, step) => Math.max(view.params.floor_fen, view.start_fen - step * view.params.decrement_fen);

/** The step in force at `now` (server time, milliseconds), counted from the end, which pauses move. */
export function dutchStep(view, now) {
  const count = dutchSteps(view);
  if (view.outages) return count - 1;
  if (UPCOMING.includes(view.state)) return 0;
  const at = view.stopped_at ? Date.parse(view.stopped_at) : now;
  const interval = view.params.interval_s * 1000;
  return Math.min(Math.max(Math.floor((count * interval - (Date.parse(view.ends_at) - at)) / interval), 0), count - 1);
}

/** When a step begins, in milliseconds of server time. */
export const dutchBegins = (view, step) => Date.parse(view.ends_at) - (dutchSteps(view) - step) * view.params.interval_s * 1000;

/** Step, price, and what comes next and when (null at the floor, and while the lot stands still). */
export function dutchNow(view, now) {
  const step = dutchStep(view, now);
  const last = step >= dutchSteps(view) - 1;
  return {
    step, price_fen: dutchPrice(view, step), last,
    next_fen: last ? null : dutchPrice(view, step + 1),
    next_at: last || !BIDDING.includes(view.state) ? null : dutchBegins(view, step + 1),
  };
}

/* ---- scores (auctions/rules/formats/scoring.py), as exact fractions {n, d} of BigInt ---- */

/** The points of an offer: fen, and royalty in basis points. */
export function score(view, amountFen, royaltyBp) {
  const [price, royalty, unit, start] = ["price_weight", "royalty_weight", "royalty_unit_bp"].map((name) => BigInt(view.params[name])).concat(BigInt(view.start_fen));
  return { n: 100n * (price * BigInt(amountFen) * unit + royalty * BigInt(royaltyBp) * start), d: start * unit * (price + royalty) };
}

/** A fraction as Python writes it, "7/3" or "7". */
export function fraction(text) {
  const [n, d = "1"] = String(text).split("/");
  return { n: BigInt(n), d: BigInt(d) };
}

export const compare = (a, b) => { const c = a.n * b.d - b.n * a.d; return c < 0n ? -1 : c > 0n ? 1 : 0; };

/** A score as decimal text with two places, cut off; `up` rounds a minimum so that it suffices. */
export function points({ n, d }, up = false) {
  const hundredths = up ? (n * 100n + d - 1n) / d : (n * 100n) / d;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`;
}

/** What the next offer's score must reach; null before the first offer. */
export function leastScore(view) {
  if (view.leader === null || view.lead_detail?.score === undefined) return null;
  const standing = fraction(view.lead_detail.score);
  return { n: standing.n * 100n + BigInt(view.params.score_step) * standing.d, d: standing.d * 100n };
}

/** The least price, fen, with which an offer of a royalty suffices now. */
export function leastPrice(view, royaltyBp) {
  const least = leastScore(view);
  if (least === null) return view.start_fen;
  const [price, royalty, unit, start] = ["price_weight", "royalty_weight", "royalty_unit_bp"].map((name) => BigInt(view.params[name])).concat(BigInt(view.start_fen));
  // least = 100 (p·x/s + r·b/u) / (p + r), solved for x and rounded up.
  const above = least.n * (price + royalty) * unit - 100n * royalty * BigInt(royaltyBp) * least.d;
  const below = 100n * unit * least.d * price;
  const found = above <= 0n ? 0n : (above * start + below - 1n) / below;
  return Math.max(view.start_fen, Number(found));
}

/* ---- reading what people type ---- */

/** Yuan as people write them (1,234.50, ¥35万) in fen; null for what is no amount. */
export function readYuan(text) {
  const match = /^[¥￥]?\s*([0-9][0-9,，\s]*)(?:\.([0-9]{1,10}))?\s*(元|万元?|亿元?)?$/.exec(String(text).trim());
  if (!match) return null;
  const scale = { 万: 6, 亿: 10 }[match[3]?.[0]] ?? 2;
  const part = match[2] ?? "";
  if (part.length > scale && /[^0]/.test(part.slice(scale))) return null;
  const fen = BigInt(match[1].replace(/[,，\s]/g, "") + part.slice(0, scale).padEnd(scale, "0"));
  return fen > 0n && fen <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(fen) : null;
}

/** Percent as people write them (3.25, 3.25%) in basis points; null for what is none. */
export function readPercent(text) {
  const match = /^([0-9]{1,3})(?:\.([0-9]{1,2}))?\s*[%％]?$/.exec(String(text).trim());
  return match ? Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0")) : null;
}

/** Basis points as percent: 325 → "3.25%". */
export const percent = (bp) => `${Math.trunc(bp / 100)}${bp % 100 ? `.${two(bp % 100).replace(/0$/, "")}` : ""}%`;

/* ---- sentences ---- */

/** "Bidder 3"; nothing for nobody. */
export const bidder = (alias, texts) => (alias === null || alias === undefined ? "" : fillIn(texts.bidder, { n: alias }));

/** A refusal as a sentence with the entry that made it so. */
export function refusal({ code, params = {}, seq, sentence }, texts) {
  const shown = {};
  for (const [key, value] of Object.entries(params)) shown[key] = key.endsWith("_fen") ? money(value) : key.endsWith("_bp") ? percent(value) : key === "step" ? value + 1 : value;
  const said = sentence ?? fillIn(texts.refusals[code] ?? texts.refusals.other, shown);
  return seq ? `${said} ${fillIn(texts.refused_by, { seq })}` : said;
}

/** What an entry of the journal says: `{seq, kind, at, hash, what, words, amount_fen, bid, mine}`. */
export function entryLine(event, texts, alias = null) {
  const { kind, data } = event;
  const bid = kind === "bid_accepted";
  const words = [];
  const who = data.alias ?? data.winner ?? null;
  if (who !== null) words.push(bidder(who, texts));
  if (data.detail?.points !== undefined) words.push(fillIn(texts.points, { points: data.detail.points, royalty: percent(data.detail.royalty_bp) }));
  if (bid && data.matched) words.push(texts.matched);
  if (kind === "closed") words.push(texts.reasons[data.reason] ?? "");
  else words.push(data.text ?? data.reason ?? "");
  return {
    seq: event.seq, kind, at: event.at, hash: event.hash,
    what: bid ? (texts.acts[data.act ?? "bid"] ?? texts.kinds[kind]) : texts.kinds[kind],
    words: words.filter(Boolean).join(" · "),
    amount_fen: bid ? data.amount_fen : (data.hammer_fen ?? null),
    bid, mine: alias !== null && who === alias,
  };
}

/* ---- drawing ---- */

/** An element with a class and a text. */
export function element(name, cls = "", text = "") {
  const node = document.createElement(name);
  if (cls) node.className = cls;
  node.textContent = text;
  return node;
}

/** A journal entry as a list item, as `entry` of components/live.html draws it. */
export function drawEntry(line, texts) {
  const item = element("li", `entry${line.amount_fen === null ? " entry--note" : ""}${line.mine ? " entry--mine" : ""}`);
  item.dataset.seq = line.seq;
  const what = element("span", "entry__what", line.what);
  if (line.words) what.append(" ", element("span", "meta", line.words));
  if (line.mine) what.append(" ", element("span", "entry__you", texts.you));
  item.append(
    element("span", "entry__seq num", String(line.seq)), " ", what, " ",
    element("span", "entry__amount num", line.amount_fen === null ? "" : money(line.amount_fen)), " ",
    element("span", "entry__at num", stamp(line.at)), " ",
  );
  if (line.hash) {
    const hash = element("code", "entry__hash", line.hash.slice(0, 8));
    hash.title = line.hash;
    item.append(hash);
  }
  return item;
}

/** Writes a text into every place of a name below `root`, where it differs. */
export function put(root, name, text) {
  for (const where of root.querySelectorAll(`[data-live="${name}"]`)) if (where.textContent !== text) where.textContent = text;
}

/** Sets the state that a place of a name shows. */
export function show(root, name, value) {
  for (const where of root.querySelectorAll(`[data-live="${name}"]`)) if (where.dataset.state !== value) where.dataset.state = value;
}

/** Shows or hides the places of a name. */
export function reveal(root, name, shown) {
  for (const where of root.querySelectorAll(`[data-live="${name}"]`)) if (where.hidden === shown) where.hidden = !shown;
}

const withRoyalty = (text, detail) => (detail?.royalty_bp === undefined ? text : `${text} + ${percent(detail.royalty_bp)}`);

/** What stands above the figure, the figure, and who holds it: `{caption, figure, holder}`. `now`: server time, ms. */
export function headline(view, texts, now) {
  const sold = Boolean(view.outcome?.hammer_fen);
  const holder = view.leader === null ? texts.nobody : fillIn(sold ? texts.won : texts.leads, { bidder: bidder(view.leader, texts) });
  if (sold) return { caption: texts.hammer, figure: money(view.outcome.hammer_fen), holder: withRoyalty(fillIn(texts.won, { bidder: bidder(view.outcome.winner, texts) }), view.outcome.detail) };
  if (view.format === "dutch") {
    const { step, price_fen } = dutchNow(view, now);
    return { caption: fillIn(texts.dutch_step, { step: step + 1, steps: dutchSteps(view) }), figure: money(price_fen), holder: texts.dutch_first };
  }
  if (view.format === "sealed" && view.leader === null) return { caption: texts.sealed_from, figure: money(view.start_fen), holder: fillIn(texts.sealed_count, { n: view.bid_count }) };
  if (view.format === "scoring" && view.leader !== null) {
    return { caption: texts.best_score, figure: fillIn(texts.score, { points: view.lead_detail.points ?? points(fraction(view.lead_detail.score)) }), holder: `${holder} · ${money(view.price_fen)} + ${percent(view.lead_detail.royalty_bp)}` };
  }
  return { caption: view.price_fen === null ? texts.start : texts.now, figure: money(view.price_fen ?? view.start_fen), holder };
}
