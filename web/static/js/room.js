/**
 * The live room of a lot.
 *
 * The page works as a plain form without this module. With it, one socket brings a snapshot and then every
 * journal entry in order; the view is what a fresh snapshot at the same seq would show (`project` mirrors
 * the server's function of that name). A bid gets its id here, before it is sent, and keeps it in storage until it is
 * answered; when the socket stalls, the same id goes by HTTP and gets the same answer. The server's clock
 * decides everything: this one only shows it, with how sure it is.
 */
import { announce, capital, fillIn, money } from "./room-text.js";

const room = document.querySelector("[data-room]");
const config = JSON.parse(room.dataset.room);
const place = (name) => room.querySelector(`[data-live="${name}"]`);
const texts = config.texts;

const ANSWER_TIMEOUT = 4000;
const HEARTBEAT_TIMEOUT = 25000;
const RECENT = 20;
const SPOKEN = [600, 300, 60, 30, 10];

const state = {
  view: config.view, seq: config.seq, epoch: config.epoch, you: config.you,
  socket: null, tries: 0, heard: 0, closed: false, pending: null, lead: null, spoken: new Set(),
  offset: 0, sure: Infinity, samples: [], mine: new Set(config.mine),
};

/* ---- clock: the sample with the shortest round trip counts ---- */
function sample(sent, serverTime) {
  const back = performance.now();
  const trip = back - sent;
  const server = Date.parse(serverTime) + trip / 2;
  state.samples.push({ trip, offset: server - (performance.timeOrigin + back) });
  if (state.samples.length > 8) state.samples.shift();
  const best = state.samples.reduce((a, b) => (b.trip < a.trip ? b : a));
  state.offset = best.offset;
  state.sure = best.trip / 2;
}
const serverNow = () => performance.timeOrigin + performance.now() + state.offset;

function askTheTime(times = 5) {
  state.samples = [];
  for (let i = 0; i < times; i += 1) setTimeout(() => send({ type: "ping", sent: performance.now() }), i * 150);
}

/* ---- socket ---- */
function send(message) {
  if (state.socket?.readyState !== WebSocket.OPEN) return false;
  state.socket.send(JSON.stringify({ v: 1, ...message }));
  return true;
}

function connect() {
  if (state.closed) return;
  show("connection", "wait");
  const socket = new WebSocket(config.socket);
  state.socket = socket;
  socket.addEventListener("open", () => {
    state.heard = performance.now();
    send({ type: "hello", epoch: state.epoch, resume_after_seq: state.seq });
    askTheTime();
  });
  socket.addEventListener("message", (event) => {
    if (socket !== state.socket) return;
    state.heard = performance.now();
    show("connection", "on");
    receive(JSON.parse(event.data));
  });
  socket.addEventListener("close", (event) => {
    if (socket !== state.socket) return;
    if ([4403, 4404].includes(event.code)) { state.closed = true; show("connection", "off"); return; }
    reconnect();
  });
}

function reconnect(after) {
  show("connection", "wait");
  state.socket = null;
  const pause = after ?? Math.min(15000, 400 * 2 ** state.tries) * (0.5 + Math.random());
  state.tries += 1;
  setTimeout(connect, pause);
}

function resynchronise() {
  const silent = performance.now() - state.heard > HEARTBEAT_TIMEOUT;
  if (state.socket?.readyState === WebSocket.OPEN && !silent) askTheTime(3);
  else if (state.socket) { const old = state.socket; state.socket = null; old.close(); state.tries = 0; reconnect(0); }
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) resynchronise(); });
window.addEventListener("online", resynchronise);
setInterval(() => {
  if (state.socket?.readyState === WebSocket.OPEN && performance.now() - state.heard > HEARTBEAT_TIMEOUT) resynchronise();
}, 5000);
setInterval(() => askTheTime(3), 60000);

function receive(message) {
  switch (message.type) {
    case "snapshot":
      state.tries = 0;
      state.epoch = message.epoch;
      state.seq = message.seq;
      state.view = message.state;
      drawAll();
      resend();
      break;
    case "event":
      if (message.seq <= state.seq) break;
      if (message.seq !== state.seq + 1) { state.epoch = null; resynchroniseFromScratch(); break; }
      state.tries = 0;
      state.seq = message.seq;
      happened(message);
      break;
    case "events": // told together; after a gap there is no socket, and the rest comes anew
      for (const event of message.events) if (state.socket) receive(event);
      break;
    case "heartbeat":
      put("watchers", String(message.watchers));
      if (message.seq > state.seq) resynchroniseSoon(message.seq);
      resend();
      break;
    case "watchers": put("watchers", String(message.n)); break;
    case "you": // the welcome's last word, also when there was nothing to catch up with
      state.tries = 0;
      state.you = message;
      show("connection", "on");
      drawStanding();
      resend();
      break;
    case "pong": sample(message.sent, message.server_time); break;
    case "receipt": answered(message, true); break;
    case "refused": answered(message, false); break;
    case "draining": { const old = state.socket; state.socket = null; old?.close(); reconnect(message.reconnect_after_ms); break; }
    default: break;
  }
}
function resynchroniseFromScratch() {
  const old = state.socket; state.socket = null; old?.close(); reconnect(0);
}
function resynchroniseSoon(seq) {
  // The head is ahead: give the frames under way a moment, then resume from what is known.
  setTimeout(() => { if (state.seq < seq) resynchroniseFromScratch(); }, 1500);
}

/* ---- the view after an event: as a snapshot at its seq would show it ---- */
export function project(view, event) {
  const next = { ...view, state: event.state, ends_at: event.ends_at };
  const { kind, data } = event;
  if (kind === "bid_accepted") {
    next.price_fen = data.amount_fen;
    next.leader = data.alias;
    next.next_fen = event.next_fen;
    next.step_fen = event.step_fen;
    next.bid_count = view.bid_count + 1;
    next.recent = [{ seq: event.seq, at: event.at, alias: data.alias, amount_fen: data.amount_fen, matched: data.matched }, ...view.recent].slice(0, RECENT);
  } else if (kind === "bidder_admitted") next.bidders_admitted = view.bidders_admitted + 1;
  else if (kind === "admission_revoked") next.bidders_admitted = view.bidders_admitted - 1;
  else if (kind === "opened") { next.opens_at = event.at; next.hard_end = data.hard_end; }
  else if (kind === "resumed") { next.opens_at = data.opens_at; next.hard_end = data.hard_end; next.notice = null; }
  else if (kind === "outage_extended") next.hard_end = data.hard_end;
  else if (kind === "announcement") next.notice = data.text;
  else if (kind === "closed") next.outcome = { reason: data.reason, winner: data.winner, hammer_fen: data.hammer_fen, reserve_fen: data.reserve_fen };
  if (["paused", "suspended", "withdrawn", "cancelled", "defaulted"].includes(kind)) next.notice = data.reason;
  return next;
}

function happened(event) {
  const before = state.view;
  state.view = project(before, event);
  note(event);
  drawAll();
  if (event.kind === "bid_accepted") {
    announce(fillIn(texts.spoken_bid, { bidder: bidder(event.data.alias), amount: money(event.data.amount_fen) }));
    strike();
    if (before.ends_at !== event.ends_at) { state.spoken.clear(); announce(texts.spoken_extended); }
  } else announce([texts.kinds[event.kind], state.view.notice ?? ""].join(" "), event.kind === "closed");
}

/* ---- drawing ---- */
/** An instant as the server writes it: 2026-11-23 21:05:09, in Shanghai. */
const stamp = (at) => new Date(at).toLocaleString("sv-SE", { timeZone: "Asia/Shanghai" });
const bidder = (alias) => (alias === null ? "" : fillIn(texts.bidder, { n: alias }));
function put(name, text) {
  for (const where of room.querySelectorAll(`[data-live="${name}"]`)) if (where.textContent !== text) where.textContent = text;
}
function show(name, value) { const where = place(name); if (where) where.dataset.state = value; }

function drawAll() {
  const { view } = state;
  put("price", view.price_fen === null ? money(view.start_fen) : money(view.price_fen));
  put("caption", view.outcome?.hammer_fen ? texts.hammer : view.price_fen === null ? texts.start : texts.now);
  put("leader", view.leader === null ? texts.nobody : fillIn(view.outcome?.hammer_fen ? texts.won : texts.leads, { bidder: bidder(view.leader) }));
  put("clock-label", ["announced", "registration"].includes(view.state) ? texts.opens_in : texts.time_left);
  put("state", texts.states[view.state]);
  put("bids", String(view.bid_count));
  put("minimum", view.next_fen === null ? "—" : money(view.next_fen));
  put("step", money(view.step_fen));
  put("notice", view.notice ?? "");
  const notice = place("notice-box");
  if (notice) notice.hidden = !view.notice;
  drawChoices();
  drawStanding();
  const bidding = ["live", "extending"].includes(view.state);
  const form = place("bid");
  if (form) form.querySelector("fieldset").disabled = !bidding || state.you?.can_bid === false;
  if (view.outcome && !room.dataset.ended) { room.dataset.ended = "1"; setTimeout(() => location.reload(), 1500 + Math.random() * 2500); }
}

/** The price is struck: a short glow, which the stylesheet leaves out for those who want no motion. */
function strike() {
  const block = place("priceblock");
  if (!block) return;
  block.classList.remove("is-new");
  void block.offsetWidth;
  block.classList.add("is-new");
}

function drawChoices() {
  const choices = place("choices");
  const { next_fen: least, step_fen: step } = state.view;
  if (!choices || least === null) return;
  [...choices.querySelectorAll("button")].forEach((button, index) => {
    const amount = least + step * [0, 1, 2, 5, 10, 20][index];
    button.value = String(amount);
    button.textContent = money(amount);
  });
}

function drawStanding() {
  const alias = state.you?.alias ?? null;
  // The answer to a bid may come before the frame that tells of it: until then it neither leads nor is outbid.
  const told = [...state.mine].some((seq) => seq <= state.seq);
  const bid = alias !== null && (told || state.view.recent.some((line) => line.alias === alias));
  const lead = alias !== null && state.view.leader === alias;
  const now = lead ? "lead" : bid ? "outbid" : "none";
  show("standing", now);
  const block = place("priceblock");
  if (block) { block.classList.toggle("priceblock--lead", lead); block.classList.toggle("priceblock--outbid", now === "outbid"); }
  if (state.lead !== null && state.lead !== now) {
    if (now === "outbid") {
      if (!state.pending) put("bid-state", "");
      announce(texts.outbid, true);
      sound(330);
    }
    if (now === "lead") { announce(texts.you_lead, true); sound(660); }
  }
  state.lead = now;
}

function note(event) {
  const list = place("journal");
  if (!list) return;
  list.querySelector(".journal__none")?.remove();
  const item = document.createElement("li");
  const bid = event.kind === "bid_accepted";
  const mine = bid && event.data.alias === state.you?.alias;
  item.className = `entry${bid ? "" : " entry--note"}${mine ? " entry--mine" : ""}`;
  item.dataset.seq = event.seq;
  const part = (name, cls, text, title) => {
    const node = document.createElement(name);
    node.className = cls;
    node.textContent = text;
    if (title) node.title = title;
    item.append(node, " ");
    return node;
  };
  part("span", "entry__seq num", String(event.seq));
  const what = part("span", "entry__what", texts.kinds[event.kind]);
  const told = (cls, text) => {
    const node = document.createElement("span");
    node.className = cls;
    node.textContent = text;
    what.append(" ", node);
  };
  const words = bid ? bidder(event.data.alias) : event.data.text ?? event.data.reason ?? "";
  if (words) told("meta", words);
  if (mine) told("entry__you", texts.you);
  part("span", "entry__amount num", bid ? money(event.data.amount_fen) : "");
  part("span", "entry__at num", stamp(event.at));
  part("code", "entry__hash", event.hash.slice(0, 8), event.hash);
  list.prepend(item);
  while (list.children.length > 200) list.lastElementChild.remove();
}

/* ---- time left ---- */
const two = (n) => String(n).padStart(2, "0");
function tick() {
  const { view } = state;
  const target = ["announced", "registration"].includes(view.state) ? view.opens_at : view.ends_at;
  const left = (Date.parse(target) - serverNow()) / 1000;
  const whole = Math.max(0, Math.floor(left));
  const running = ["live", "extending", "announced", "registration"].includes(view.state);
  const days = Math.floor(whole / 86400);
  const face = room.querySelector("[data-countdown] time");
  if (face) {
    face.dateTime = target;
    const clock = `${two(Math.floor((whole % 86400) / 3600))}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
    const text = !running ? texts.states[view.state] : left <= 0 ? texts.closing : days ? `${days}${texts.day} ${clock}` : clock;
    if (face.textContent !== text) face.textContent = text;
    face.parentElement.classList.toggle("is-near", running && left > 0 && left < 60);
  }
  put("clock", new Date(serverNow()).toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" }));
  put("clock-sure", Number.isFinite(state.sure) ? `±${Math.max(1, Math.round(state.sure))} ms` : "");
  if (["live", "extending"].includes(view.state)) {
    for (const mark of SPOKEN) {
      if (left <= mark && left > mark - 2 && !state.spoken.has(mark)) {
        state.spoken.add(mark);
        announce(fillIn(mark >= 60 ? texts.minutes_left : texts.seconds_left, { n: mark >= 60 ? mark / 60 : mark }));
      }
    }
  }
}
setInterval(tick, 250);

/* ---- sound, only when asked for ---- */
let audio = null;
const soundBox = document.querySelector("[data-sound]");
soundBox?.addEventListener("change", () => { audio = soundBox.checked ? new AudioContext() : null; sound(520); });
function sound(pitch) {
  if (!audio) return;
  const tone = audio.createOscillator();
  const gain = audio.createGain();
  gain.gain.setValueAtTime(0.15, audio.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
  tone.frequency.value = pitch;
  tone.connect(gain).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.4);
}

/* ---- bidding ---- */
const form = place("bid");
const dialog = document.querySelector("[data-live='confirm']");
const stored = `bid:${config.lot_id}`;

function problem(text) {
  const box = place("bid-error");
  if (!box) return;
  place("bid-error-text").textContent = text;
  box.hidden = !text;
  form.querySelector("#bid-amount")?.toggleAttribute("aria-invalid", Boolean(text));
}

function readYuan(text) {
  const match = /^[¥￥]?\s*([0-9][0-9,，]*)(?:\.([0-9]{1,2}))?\s*(元|万|万元)?$/.exec(text.trim());
  if (!match) return null;
  const unit = match[3]?.startsWith("万") ? 10000 : 1;
  const fen = (Number(match[1].replace(/[,，]/g, "")) * 100 + Number((match[2] ?? "").padEnd(2, "0") || 0)) * unit;
  return Number.isSafeInteger(fen) && fen > 0 ? fen : null;
}

form?.addEventListener("submit", (event) => {
  if (!dialog?.showModal) return;
  event.preventDefault();
  problem("");
  const pressed = event.submitter?.name === "amount_fen" ? Number(event.submitter.value) : readYuan(form.elements.amount.value);
  if (pressed === null) { problem(texts.not_an_amount); form.elements.amount.focus(); return; }
  const { next_fen: least, step_fen: step } = state.view;
  dialog.querySelector("[data-confirm='amount']").textContent = money(pressed);
  dialog.querySelector("[data-confirm='words']").textContent = capital(pressed);
  const jump = dialog.querySelector("[data-confirm='jump']");
  const steps = least === null ? 0 : (pressed - least) / step;
  jump.hidden = steps < 10;
  jump.textContent = fillIn(texts.large_jump, { n: Math.floor(steps) + 1 });
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") placeBid(pressed); }, { once: true });
});

function placeBid(amount) {
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  state.pending = { client_bid_id: id, amount_fen: amount, since: performance.now() };
  try { localStorage.setItem(stored, JSON.stringify(state.pending)); } catch { /* storage may be off */ }
  form.querySelector("fieldset").disabled = true;
  put("bid-state", texts.sending);
  dispatch();
}

function dispatch() {
  const bid = state.pending;
  if (!bid) return;
  const sent = send({ type: "bid", client_bid_id: bid.client_bid_id, amount_fen: bid.amount_fen });
  setTimeout(() => { if (state.pending?.client_bid_id === bid.client_bid_id) byHttp(bid); }, sent ? ANSWER_TIMEOUT : 0);
}

async function byHttp(bid) {
  try {
    const response = await fetch(config.bids, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client_bid_id: bid.client_bid_id, amount_fen: bid.amount_fen }),
    });
    const message = await response.json();
    if (message.type) answered(message, message.type === "receipt");
    else if (response.status === 503) throw new Error("busy");
    else answered({ client_bid_id: bid.client_bid_id, code: message.code ?? "", sentence: message.title }, false);
  } catch {
    put("bid-state", texts.unsure);
    setTimeout(() => { if (state.pending?.client_bid_id === bid.client_bid_id) byHttp(bid); }, 2000 + Math.random() * 2000);
  }
}

function resend() {
  if (!state.pending || performance.now() - state.pending.since < ANSWER_TIMEOUT) return;
  state.pending.since = performance.now();
  dispatch();
}

function answered(message, accepted) {
  if (message.client_bid_id !== state.pending?.client_bid_id) return;
  if (!accepted && message.retry) { setTimeout(dispatch, 500 + Math.random() * 1000); return; }
  state.pending = null;
  try { localStorage.removeItem(stored); } catch { /* storage may be off */ }
  if (accepted) {
    state.mine.add(message.seq);
    problem("");
    put("bid-state", fillIn(texts.accepted, { seq: message.seq }));
    announce(fillIn(texts.accepted, { seq: message.seq }), true);
    form.elements.amount.value = "";
    form.elements.amount.dispatchEvent(new Event("input"));
  } else {
    put("bid-state", "");
    const params = { ...message.params };
    for (const key of Object.keys(params)) if (key.endsWith("_fen")) params[key] = money(params[key]);
    const rule = message.seq ? ` ${fillIn(texts.refused_by, { seq: message.seq })}` : "";
    const sentence = (message.sentence ?? fillIn(texts.refusals[message.code] ?? texts.refusals.other, params)) + rule;
    problem(sentence);
    announce(sentence, true);
  }
  drawAll();
}

try {
  const kept = JSON.parse(localStorage.getItem(stored) ?? "null");
  if (kept && form) { state.pending = { ...kept, since: -ANSWER_TIMEOUT }; put("bid-state", texts.unsure); }
} catch { /* storage may be off */ }

if (config.socket && !config.ended) connect();
drawStanding();
tick();
