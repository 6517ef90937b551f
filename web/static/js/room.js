/**
 * The bidder's page of a lot.
 *
 * The page works as plain forms without this module. With it, one socket brings a snapshot and then every
 * journal entry in order; the view is what a fresh snapshot at the same seq would show. The server's clock decides
 * everything: this page only shows it, with how sure it is. The parts: `room-view` (what is shown), `room-clock`,
 * `room-socket`, `room-bid` (bids on their way), `room-formats` (how each format is bid for), `room-speech`.
 */
import { Ask } from "./room-ask.js";
import { Bids } from "./room-bid.js";
import { Clock } from "./room-clock.js";
import { FORMATS } from "./room-formats.js";
import { Line } from "./room-socket.js";
import { Speech, Tones } from "./room-speech.js";
import { fillIn, money } from "./room-text.js";
import {
  BIDDING, ENDED, UPCOMING, bidder, drawEntry, element, entryLine, eventsIn, face, headline, percent, project, put, refusal, reveal, show, preciseTime, stamp, standingOf, target, timeOfDay,
} from "./room-view.js";

const root = document.querySelector("[data-room]");
const config = JSON.parse(root.dataset.room);
const { texts } = config;
const place = (name) => root.querySelector(`[data-live="${name}"]`);

const SPOKEN = [600, 300, 60, 30, 10];
const MOST_ENTRIES = 200;
const SETTLE = 60;
const HOLD = 900;

const clock = new Clock();
const speech = new Speech(place("say"));
const tones = new Tones(root.querySelector("[data-sound]"));

const state = {
  view: config.view, seq: config.seq, epoch: config.epoch, you: config.you,
  mine: new Set(config.mine), maximum: config.maximum_fen ?? null, envelope: config.envelope ?? null,
  lead: null, held: 0, spoken: new Set(), drawing: 0,
};

/* ---- bids ---- */
const bids = new Bids({
  // Not another bidder's who used the same device.
  key: `bid:${config.lot_id}:${config.you?.alias}`,
  address: config.bids,
  hooks: {
    send: (message) => line.send(message),
    state: (what) => { put(root, "bid-state", texts[what] ?? ""); draw(); },
    answered,
  },
});

const room = {
  root, config, texts, state, clock, speech,
  ask: new Ask(document.querySelector('[data-live="confirm"]'), texts),
  pending: () => bids.pending !== null,
  place: (act, amount, extra = {}) => bids.place(act, amount, extra),
  headline: drawHeadline,
};
const format = (FORMATS[config.view.format] ?? FORMATS.english)(room);

function answered(answer, bid, accepted) {
  if (accepted) state.mine.add(answer.seq);
  format.answered(answer, bid, accepted);
  const said = accepted ? fillIn(texts.done[bid.act] ?? texts.accepted, { seq: answer.seq, amount: bid.amount_fen === null ? "" : money(bid.amount_fen) }) : refusal(answer, texts);
  put(root, "bid-state", accepted ? said : "");
  speech.alarm(said);
  noteOwn(answer, bid, accepted);
  draw();
}

/** A line of the own history. */
function noteOwn(answer, bid, accepted) {
  const list = place("own");
  if (!list) return;
  list.querySelector(".own__none")?.remove();
  const item = element("li", `own__line${accepted ? "" : " own__line--refused"}`);
  const first = element("p");
  first.append(element("b", "", texts.acts[bid.act] ?? bid.act), " ", element("span", "num", [bid.amount_fen === null ? "" : money(bid.amount_fen), bid.extra.royalty_bp === undefined ? "" : percent(bid.extra.royalty_bp)].filter(Boolean).join(" + ")), ` · ${accepted ? texts.own_accepted : texts.own_refused} · ${stamp(answer.server_time ?? clock.now())}`);
  item.append(first);
  item.append(element("p", accepted ? "meta" : "own__why", accepted ? fillIn(texts.accepted, { seq: answer.seq }) : refusal(answer, texts)));
  if (answer.receipt) {
    const details = element("details");
    details.append(element("summary", "", texts.receipt), element("code", "own__receipt", JSON.stringify(answer.receipt)));
    item.append(details);
  }
  list.prepend(item);
}

/* ---- the line ---- */
const line = new Line(config.socket, {
  hello: () => (state.epoch === null ? {} : { epoch: state.epoch, resume_after_seq: state.seq }),
  message: receive,
  woke: () => clock.forget(),
  state: (what, why) => {
    show(root, "connection", what);
    if (what !== "wait" || why !== "draining") word(what === "off" ? (texts[why] ?? "") : "");
  },
});
setInterval(() => line.time(3), 60000);

function word(text) {
  put(root, "connection-word", text);
  reveal(root, "connection-word", Boolean(text));
}

function receive(message) {
  switch (message.type) {
    case "snapshot":
      line.well();
      Object.assign(state, { epoch: message.epoch, seq: message.seq, view: message.state });
      draw();
      bids.resend();
      break;
    case "event":
    case "events":
      happened(eventsIn(message));
      break;
    case "heartbeat":
      line.well();
      put(root, "watchers", String(message.watchers));
      if (message.seq > state.seq) behind(message.seq);
      bids.resend();
      break;
    case "watchers": put(root, "watchers", String(message.n)); break;
    case "you": { // the welcome's last word, also when there was nothing to catch up with
      line.well();
      const could = state.you?.can_bid ?? false;
      state.you = { ...state.you, ...message };
      // The page was made for somebody who could not bid, or could: it needs its other face.
      if (message.can_bid !== could && !bids.pending && !config.practice && onceInAWhile()) { location.reload(); break; }
      draw();
      bids.resend();
      break;
    }
    case "pong": clock.sample(message.sent, message.server_time); drawTime(); break;
    case "receipt": case "refused": bids.take(message); break;
    case "draining":
      word(fillIn(texts.draining, { n: Math.ceil(message.reconnect_after_ms / 1000) }));
      line.renew(message.reconnect_after_ms);
      break;
    default: break;
  }
}

/** Whether half a minute has passed since this was asked: no page may reload itself in a circle. */
function onceInAWhile() {
  try {
    const last = Number(sessionStorage.getItem("reloaded") ?? 0);
    sessionStorage.setItem("reloaded", String(Date.now()));
    return Date.now() - last > 30000;
  } catch { return false; }
}

/** The head is ahead: give the frames under way a moment, then resume from what is known. */
function behind(seq) { setTimeout(() => { if (state.seq < seq) line.renew(); }, 1500); }

function happened(events) {
  const before = state.view;
  const fresh = [];
  for (const event of events) {
    if (event.seq <= state.seq) continue;
    if (event.seq !== state.seq + 1) { state.epoch = null; line.renew(); break; }
    state.seq = event.seq;
    state.view = project(state.view, event);
    fresh.push(event);
  }
  if (!fresh.length) return;
  line.well();
  for (const event of fresh) { note(event); tell(event); }
  if (before.ends_at !== state.view.ends_at && fresh.some((event) => event.kind === "bid_accepted")) {
    state.spoken.clear();
    speech.say(texts.spoken_extended, "end");
  }
  if (fresh.some((event) => event.kind === "bid_accepted" && (event.data.standing ?? true))) strike();
  // Admitted, or no longer: a second hello asks who one is now.
  if (config.looks && fresh.some((event) => ["bidder_admitted", "admission_revoked"].includes(event.kind))) line.send({ type: "hello" });
  draw();
}

function tell(event) {
  if (event.kind === "bid_accepted") {
    const who = bidder(event.data.alias, texts);
    speech.say(event.data.amount_fen === null
      ? fillIn(texts.spoken_act, { bidder: who, act: texts.acts[event.data.act] ?? "" })
      : fillIn(texts.spoken_bid, { bidder: who, amount: money(event.data.amount_fen) }), "bid");
    return;
  }
  const words = [texts.kinds[event.kind], event.data.text ?? event.data.reason ?? ""].filter(Boolean).join(": ");
  if (event.kind === "closed" || event.kind === "opening_began") speech.alarm(event.kind === "closed" ? [texts.kinds.closed, texts.reasons[event.data.reason]].join(": ") : texts.spoken_revealing);
  else speech.say(words, event.kind);
  if (event.data.text || event.data.reason) announced(event, words);
}

/** Announcements stand in the list of documents and announcements too. */
function announced(event, words) {
  const list = place("announcements");
  if (!list || event.kind === "closed") return;
  list.prepend(element("li", "", `${stamp(event.at)} · ${words}`));
  watchDocuments();
}

function note(event) {
  const list = place("journal");
  if (!list) return;
  list.querySelector(".journal__none")?.remove();
  list.prepend(drawEntry(entryLine(event, texts, state.you?.alias ?? null), texts));
  while (list.children.length > MOST_ENTRIES) list.lastElementChild.remove();
}

/** The price is struck: a short glow, which the stylesheet leaves out for those who want no motion. */
function strike() {
  const block = place("priceblock");
  if (!block) return;
  block.classList.remove("is-new");
  void block.offsetWidth;
  block.classList.add("is-new");
}

/* ---- drawing ---- */
/** Draw soon: entries that come together, a bid and the answer of a maximum, are seen as one. */
function draw() { if (!state.drawing) state.drawing = setTimeout(drawAll, SETTLE); }

function drawAll() {
  state.drawing = 0;
  const { view } = state;
  drawHeadline();
  put(root, "clock-label", UPCOMING.includes(view.state) ? texts.opens_in : texts.time_left);
  put(root, "ends", stamp(view.ends_at));
  put(root, "state", texts.states[view.state]);
  put(root, "bids", String(view.bid_count));
  put(root, "notice", view.notice ?? "");
  reveal(root, "notice-box", Boolean(view.notice));
  format.draw();
  room.ask.refresh();
  drawStanding();
  drawTime();
  if (ENDED.includes(view.state) && !config.ended && !config.practice && !bids.pending) {
    config.ended = true;
    setTimeout(() => location.reload(), 1500 + Math.random() * 2500);
  }
}

function drawHeadline() {
  const { caption, figure, holder } = headline(state.view, texts, clock.now());
  put(root, "caption", caption);
  put(root, "price", figure);
  put(root, "leader", holder);
}

function drawStanding() {
  const alias = state.you?.alias ?? null;
  // The answer to a bid may come before the frame that tells of it: until then it neither leads nor is outbid.
  let now = standingOf(state.view, alias, state.mine, state.seq);
  // A bid that one's own maximum is about to answer outbids nobody.
  const answers = state.lead === "lead" && now === "outbid" && state.maximum !== null && state.view.price_fen <= state.maximum && BIDDING.includes(state.view.state);
  if (answers) {
    state.held ||= performance.now();
    if (performance.now() - state.held < HOLD) { now = "lead"; setTimeout(draw, HOLD); }
  } else state.held = 0;
  show(root, "standing", now);
  const block = place("priceblock");
  if (block) { block.classList.toggle("priceblock--lead", now === "lead"); block.classList.toggle("priceblock--outbid", now === "outbid" && ["english", "scoring"].includes(state.view.format)); }
  if (state.lead !== null && state.lead !== now && ["english", "scoring"].includes(state.view.format)) {
    if (now === "outbid") {
      if (!bids.pending) put(root, "bid-state", "");
      speech.alarm(texts.outbid);
      tones.play(330);
    }
    if (now === "lead") { speech.alarm(texts.you_lead); tones.play(660); }
  }
  state.lead = now;
}

/* ---- time ---- */
function drawTime() {
  if (!clock.known) return;
  const ms = (n) => Math.max(1, Math.round(n));
  put(root, "clock-sure", `±${ms(clock.uncertainty)} ms`);
  put(root, "uncertain", fillIn(texts.uncertain, { ms: ms(clock.uncertainty) }));
  put(root, "trip", fillIn(texts.round_trip, { ms: ms(clock.trip) }));
  const ahead = clock.deviceAhead;
  put(root, "device", fillIn(ahead >= 0 ? texts.device_ahead : texts.device_behind, { ms: Math.round(Math.abs(ahead)) }));
  const margin = clock.safeMargin;
  put(root, "safe", fillIn(texts.safe_until, { time: preciseTime(Date.parse(state.view.ends_at) - margin), seconds: (margin / 1000).toFixed(1) }));
  for (const name of ["trip", "device"]) reveal(root, name, true);
  reveal(root, "safe", state.view.format !== "dutch" && [...BIDDING, "revealing"].includes(state.view.state));
}

function tick() {
  const { view } = state;
  const at = target(view);
  const left = (Date.parse(at) - clock.now()) / 1000;
  const bidding = BIDDING.includes(view.state);
  const running = bidding || view.state === "revealing" || UPCOMING.includes(view.state);
  const where = root.querySelector("[data-countdown] time");
  if (where) {
    if (where.dateTime !== at) where.dateTime = at;
    const text = !running ? texts.states[view.state] : left <= 0 ? texts.closing : face(left, texts.day);
    if (where.textContent !== text) where.textContent = text;
    where.parentElement.classList.toggle("is-near", running && left > 0 && left < 60);
  }
  put(root, "clock", timeOfDay(clock.now()));
  format.tick();
  if (!bidding && view.state !== "revealing") return;
  for (const mark of SPOKEN) {
    if (left <= mark && left > mark - 2 && !state.spoken.has(mark)) {
      state.spoken.add(mark);
      speech.say(fillIn(mark >= 60 ? texts.minutes_left : texts.seconds_left, { n: mark >= 60 ? mark / 60 : mark }), "time");
    }
  }
}

/* ---- looking at documents takes their marks away the next time ---- */
let watched = null;
function watchDocuments() {
  const section = place("documents");
  if (!section || !config.looks || watched || !("IntersectionObserver" in window)) return;
  let timer = 0;
  watched = new IntersectionObserver(([seen]) => {
    clearTimeout(timer);
    if (!seen.isIntersecting) return;
    timer = setTimeout(() => {
      watched.disconnect();
      watched = null;
      fetch(config.looks, { method: "POST", body: new URLSearchParams({ quiet: "1" }) }).catch(() => {});
    }, 3000);
  }, { threshold: 0.6 });
  watched.observe(section);
}
if (place("documents")?.dataset.fresh) watchDocuments();

root.classList.add("is-live");
if (!config.ended) {
  if (config.socket) line.connect();
  drawAll();
  tick();
  setInterval(tick, 250);
}
if (config.you?.alias) bids.restore();
