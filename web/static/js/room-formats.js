/**
 * How each format is bid for on the page. A format is made with the room (`{root, config, texts, state, clock, ask, place,
 * speech}`) and has `draw()`, called when the view or the own bids change; `tick()`, called four times a second; and
 * `answered(answer, bid, accepted)`.
 */
import { jumpWarning, problem } from "./room-ask.js";
import { capital, fillIn, money } from "./room-text.js";
import { Drawer, makeSlip, readSlip, sealOf, slipLine } from "./room-sealed.js";
import {
  BIDDING, LARGE_JUMP, choices, compare, dutchBegins, dutchNow, jump, leastPrice, leastScore, percent, points, put, readPercent, readYuan, refusal, reveal, score, show, stamp, timeOfDay,
} from "./room-view.js";

const open = (room) => BIDDING.includes(room.state.view.state) && room.state.you?.can_bid !== false && !room.pending();
const enable = (form, on) => { const set = form?.querySelector("fieldset"); if (set && set.disabled === on) set.disabled = !on; };
const typed = (form) => form.querySelector("[name=amount], input[data-money]");
function clear(input) { input.value = ""; input.dispatchEvent(new Event("input")); }

function english(room) {
  const { root, texts, state } = room;
  const form = root.querySelector('[data-live="bid"]');
  const maximum = root.querySelector('[data-live="maximum"]');

  /** Why an amount would surely be refused now; nothing where it may be good. */
  function surely(amount) {
    const { view } = state;
    if (view.leader !== null && view.leader === state.you?.alias) return refusal({ code: "leader_cannot_raise" }, texts);
    const matches = (room.config.you.priority ?? null) !== null && amount === view.price_fen;
    if (view.next_fen === null || amount >= view.next_fen || matches) {
      if ((room.config.cover_fen ?? null) !== null && amount > room.config.cover_fen) return refusal({ code: "deposit_does_not_cover", params: { limit_fen: room.config.cover_fen } }, texts);
      if (view.cap_fen !== null && amount > view.cap_fen) return refusal({ code: "bid_above_cap", params: { cap_fen: view.cap_fen } }, texts);
      return "";
    }
    const seq = view.recent.find((line) => line.amount_fen === view.price_fen)?.seq;
    return view.price_fen === null
      ? refusal({ code: "bid_below_start", params: { minimum_fen: view.next_fen } }, texts)
      : refusal({ code: "bid_too_low", params: { minimum_fen: view.next_fen, price_fen: view.price_fen }, seq }, texts);
  }

  function submit(event, act, errors) {
    if (!room.ask.possible) return;
    event.preventDefault();
    const target = event.currentTarget;
    const pressed = event.submitter?.name === "amount_fen";
    const input = typed(target);
    const amount = pressed ? Number(event.submitter.value) : readYuan(input.value);
    const wrong = amount === null ? texts.not_an_amount : act === "bid" || state.view.leader !== state.you?.alias ? surely(amount) : "";
    problem(root, errors, wrong, pressed ? null : input);
    if (wrong) { room.speech.alarm(wrong); input.focus(); return; }
    room.ask.ask({
      act, amount,
      warning: act === "bid" ? jumpWarning(jump(state.view, amount), texts, LARGE_JUMP) : "",
      check: (asked) => ({ warning: (act === "bid" ? surely(asked) : "") || (act === "bid" ? jumpWarning(jump(state.view, asked), texts, LARGE_JUMP) : "") }),
      yes: (sure) => room.place(act, sure),
    });
  }
  form?.addEventListener("submit", (event) => submit(event, "bid", "bid-error"));
  maximum?.addEventListener("submit", (event) => submit(event, "maximum", "maximum-error"));

  return {
    draw() {
      const { view } = state;
      put(root, "minimum", view.next_fen === null ? "—" : money(view.next_fen));
      put(root, "step", money(view.step_fen));
      const box = root.querySelector('[data-live="choices"]');
      if (box) {
        const amounts = choices(view);
        while (box.children.length > amounts.length) box.lastElementChild.remove();
        amounts.forEach((amount, at) => {
          let button = box.children[at];
          if (!button) {
            button = document.createElement("button");
            button.className = "btn btn--plain bid__choice num";
            Object.assign(button, { type: "submit", name: "amount_fen", formNoValidate: true });
            box.append(button);
          }
          if (button.value !== String(amount)) { button.value = String(amount); button.textContent = money(amount); }
        });
      }
      enable(form, open(room) && view.next_fen !== null);
      enable(maximum, open(room));
      const own = state.maximum;
      if (own) put(root, "own-maximum", fillIn(view.price_fen !== null && view.price_fen > own ? texts.own_maximum_passed : texts.own_maximum, { amount: money(own) }));
      reveal(root, "own-maximum", Boolean(own));
    },
    tick() {},
    answered(answer, bid, accepted) {
      if (accepted && bid.act === "maximum") state.maximum = Math.max(state.maximum ?? 0, bid.amount_fen);
      const errors = bid.act === "maximum" ? "maximum-error" : "bid-error";
      const target = bid.act === "maximum" ? maximum : form;
      if (!target) return;
      problem(root, errors, accepted ? "" : refusal(answer, texts), accepted ? typed(target) : null);
      if (accepted) clear(typed(target));
    },
  };
}

function sealed(room) {
  const { root, texts, state, config } = room;
  const form = root.querySelector('[data-live="bid"]');
  const opening = root.querySelector('[data-live="open"]');
  const slipBox = root.querySelector('[data-live="slip"]');
  const byHand = root.querySelector('[data-live="by-hand"]');
  const drawer = () => new Drawer(config.lot_id, state.you?.alias);
  if (form) form.hidden = false;
  if (byHand) byHand.open = Boolean(byHand.querySelector("[aria-invalid]"));
  let slip = null;

  async function showSlip(found, focus = false) {
    slip = found;
    if (!slipBox || !found) return;
    const put1 = (name, text) => { slipBox.querySelector(`[data-slip="${name}"]`).textContent = text; };
    put1("alias", String(found.alias));
    put1("amount", money(found.amount_fen));
    put1("words", capital(found.amount_fen));
    put1("line", slipLine(found));
    put1("commitment", await sealOf(found));
    slipBox.hidden = false;
    if (focus) slipBox.focus();
  }
  const text = () => [...slipBox.querySelectorAll("h3, p b, dt, dd")].map((node) => node.textContent.trim()).join("\n");
  slipBox?.querySelector('[data-slip="download"]').addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text()}\n`], { type: "text/plain" }));
    link.download = `slip-${slip.lot}-${slip.alias}.txt`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  slipBox?.querySelector('[data-slip="print"]').addEventListener("click", () => {
    document.documentElement.classList.add("print-slip");
    window.print();
    document.documentElement.classList.remove("print-slip");
  });

  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!room.ask.possible) return;
    const input = typed(form);
    const amount = readYuan(input.value);
    const { view } = state;
    let wrong = amount === null ? texts.not_an_amount : "";
    if (amount !== null && amount < view.start_fen) wrong = refusal({ code: "bid_below_start", params: { minimum_fen: view.start_fen } }, texts);
    if (amount !== null && view.cap_fen !== null && amount > view.cap_fen) wrong = refusal({ code: "bid_above_cap", params: { cap_fen: view.cap_fen } }, texts);
    problem(root, "bid-error", wrong, input);
    if (wrong) { room.speech.alarm(wrong); input.focus(); return; }
    room.ask.ask({
      act: "seal", amount,
      yes: async (sure) => {
        const made = makeSlip(config.lot_id, state.you.alias, sure);
        const seal = await sealOf(made);
        // Kept before it is sent: a seal without its slip could never be opened.
        const kept = drawer().keep(seal, made);
        await showSlip(made);
        const unkept = slipBox.querySelector('[data-slip="unkept"]');
        unkept.textContent = kept ? "" : texts.storage_off;
        unkept.hidden = kept;
        room.place("seal", null, { commitment: seal });
      },
    });
  });

  opening?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!room.ask.possible) return;
    const input = opening.elements.slip;
    const mine = state.envelope && drawer().find(state.envelope.commitment);
    const found = event.submitter?.name === "here" ? mine : readSlip(input.value);
    let wrong = found ? "" : texts.slip_unreadable;
    if (found && (found.lot !== config.lot_id || found.alias !== state.you.alias)) wrong = texts.slip_other_lot;
    else if (found && state.envelope && (await sealOf(found)) !== state.envelope.commitment) wrong = texts.slip_differs;
    problem(root, "open-error", wrong, input);
    if (wrong) { room.speech.alarm(wrong); input.focus(); return; }
    room.ask.ask({ act: "open", amount: found.amount_fen, yes: () => room.place("open", found.amount_fen, { nonce: found.nonce }) });
  });

  return {
    draw() {
      const { view, envelope } = state;
      const revealing = view.state === "revealing";
      const may = state.you?.can_bid !== false && !room.pending();
      reveal(root, "sealing", !revealing);
      reveal(root, "open", revealing && Boolean(envelope) && !envelope.opened_seq);
      enable(form, open(room));
      if (opening) for (const button of opening.querySelectorAll("button")) button.disabled = !may;
      show(root, "envelope-state", !envelope ? "none" : envelope.opened_seq ? "opened" : "sealed");
      const best = state.you && view.leader === state.you.alias ? texts.envelope_best : view.leader === null ? "" : texts.envelope_not_best;
      put(root, "envelope-state", !envelope ? texts.no_envelope
        : envelope.opened_seq ? [fillIn(texts.envelope_opened, { seq: envelope.opened_seq }), envelope.amount_fen ? money(envelope.amount_fen) : "", best].filter(Boolean).join(" · ")
          : fillIn(texts.envelope_sealed, { seq: envelope.seq }));
      const mine = envelope && drawer().find(envelope.commitment);
      put(root, "envelope-here", !envelope || envelope.opened_seq ? "" : mine ? fillIn(texts.envelope_here, { amount: money(mine.amount_fen) }) : texts.envelope_elsewhere);
      if (mine && !envelope.opened_seq && (!slip || slip.nonce !== mine.nonce) && !room.pending()) showSlip(mine);
      reveal(root, "open-here", Boolean(mine));
      const here = root.querySelector('[data-live="open-here"] button');
      if (here && mine) here.textContent = `${texts.acts.open} ${money(mine.amount_fen)}`;
    },
    tick() {},
    answered(answer, bid, accepted) {
      if (accepted && bid.act === "seal") {
        state.envelope = { commitment: bid.extra.commitment, seq: answer.seq, opened_seq: null, amount_fen: null };
        if (form) clear(typed(form));
        const kept = drawer().find(bid.extra.commitment);
        if (kept) showSlip(kept, true);
      }
      if (accepted && bid.act === "open") Object.assign(state.envelope ?? {}, { opened_seq: answer.seq, amount_fen: bid.amount_fen });
      if (!accepted && bid.act === "seal" && slipBox) slipBox.hidden = true;
      problem(root, bid.act === "open" ? "open-error" : "bid-error", accepted ? "" : refusal(answer, texts));
    },
  };
}

function dutch(room) {
  const { root, texts, state, clock } = room;
  const form = root.querySelector('[data-live="bid"]');
  const button = root.querySelector('[data-live="take"]');
  const table = root.querySelector('[data-live="schedule"]');
  let drawn = "";
  let spoken = null;
  let last = null;
  // Once somebody has taken the lot the price falls no further.
  const now = () => (state.view.outcome && last) || (last = dutchNow(state.view, clock.now()));

  form?.addEventListener("submit", (event) => {
    if (!room.ask.possible) return;
    event.preventDefault();
    problem(root, "bid-error", "");
    const seen = now();
    let step = seen.step;
    const more = (one) => fillIn(texts.dutch_take, { amount: money(one.price_fen), step: one.step + 1 });
    room.ask.ask({
      act: "take", amount: seen.price_fen, more: more(seen),
      check: (asked) => {
        const later = now();
        if (later.step === step) return {};
        step = later.step;
        return { amount: later.price_fen, more: more(later), warning: later.price_fen < asked ? fillIn(texts.price_fell, { amount: money(later.price_fen) }) : "" };
      },
      yes: (amount) => room.place("take", amount, { step }),
    });
  });

  function rows(step) {
    if (!table) return;
    const { view } = state;
    for (const row of table.querySelectorAll("[data-step]")) {
      const at = Number(row.dataset.step);
      const begun = BIDDING.includes(view.state) || view.outcome || view.state === "paused" || view.state === "suspended";
      row.dataset.when = !begun || at > step ? "to_come" : at < step ? "past" : "now";
      if (row.dataset.when === "now") row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
      row.querySelector("[data-begins]").textContent = stamp(dutchBegins(view, at));
    }
    const box = table.parentElement;
    const current = table.querySelector('[data-when="now"]');
    if (current && box.scrollHeight > box.clientHeight && !box.matches(":focus, :hover")) box.scrollTop = current.offsetTop - box.clientHeight / 3;
  }

  function draw() {
    const { view } = state;
    const one = now();
    const taking = BIDDING.includes(view.state);
    enable(form, open(room));
    const text = fillIn(texts.dutch_take, { amount: money(one.price_fen), step: one.step + 1 });
    if (button && button.textContent !== text) button.textContent = text;
    if (form) { form.elements.amount_fen.value = one.price_fen; form.elements.step.value = one.step; }
    put(root, "dutch-next", one.last ? texts.dutch_floor : one.next_at ? fillIn(texts.dutch_next, { time: timeOfDay(one.next_at), amount: money(one.next_fen) }) : taking ? "" : ["paused", "suspended"].includes(view.state) ? texts.dutch_still : "");
    const key = `${one.step}:${view.state}:${view.ends_at}`;
    if (key === drawn) return;
    drawn = key;
    rows(one.step);
    room.headline();
    if (taking && spoken !== null && spoken !== one.step) room.speech.say(fillIn(texts.spoken_price, { amount: money(one.price_fen) }), "price");
    spoken = one.step;
  }
  return {
    draw,
    tick: () => { draw(); room.ask.refresh(); },
    answered(answer, bid, accepted) { problem(root, "bid-error", accepted ? "" : refusal(answer, texts)); },
  };
}

function scoring(room) {
  const { root, texts, state } = room;
  const form = root.querySelector('[data-live="bid"]');
  const fields = form && { amount: form.elements.amount, royalty: form.elements.royalty };

  function read() {
    const amount = readYuan(fields.amount.value);
    const royalty = readPercent(fields.royalty.value || "");
    return { amount, royalty };
  }
  function preview() {
    if (!form) return;
    const { view } = state;
    const least = leastScore(view);
    put(root, "least-score", least === null ? texts.score_first : fillIn(texts.score, { points: points(least, true) }));
    const { amount, royalty } = read();
    if (amount === null || royalty === null) { put(root, "preview", ""); show(root, "preview", "none"); return; }
    const mine = score(view, amount, royalty);
    const enough = amount >= view.start_fen && (least === null || compare(mine, least) >= 0);
    const minimum = least === null ? "" : points(least, true);
    const verdict = enough
      ? (least === null ? "" : fillIn(texts.score_enough, { minimum }))
      : least === null || amount < view.start_fen ? refusal({ code: "bid_below_start", params: { minimum_fen: view.start_fen } }, texts)
        : fillIn(texts.score_short, { minimum, amount: money(leastPrice(view, royalty)) });
    put(root, "preview", [fillIn(texts.score_preview, { points: points(mine) }), verdict].filter(Boolean).join(" · "));
    show(root, "preview", enough ? "enough" : "short");
  }
  form?.addEventListener("input", preview);
  form?.addEventListener("submit", (event) => {
    if (!room.ask.possible) return;
    event.preventDefault();
    const { view } = state;
    const { amount, royalty } = read();
    let field = null;
    let wrong = "";
    if (amount === null) [field, wrong] = [fields.amount, texts.not_an_amount];
    else if (royalty === null) [field, wrong] = [fields.royalty, texts.not_a_royalty];
    else if (royalty > view.params.royalty_most_bp) [field, wrong] = [fields.royalty, refusal({ code: "royalty_out_of_range", params: { low_bp: 0, high_bp: view.params.royalty_most_bp } }, texts)];
    else if (amount < view.start_fen) [field, wrong] = [fields.amount, refusal({ code: "bid_below_start", params: { minimum_fen: view.start_fen } }, texts)];
    for (const one of Object.values(fields)) one.removeAttribute("aria-invalid");
    problem(root, "bid-error", wrong, field);
    if (wrong) { room.speech.alarm(wrong); field.focus(); return; }
    const words = () => fillIn(texts.points, { points: points(score(state.view, amount, royalty)), royalty: percent(royalty) });
    const short = () => {
      const least = leastScore(state.view);
      const mine = score(state.view, amount, royalty);
      return least !== null && compare(mine, least) < 0 ? refusal({ code: "score_too_low", params: { score: points(mine), minimum_score: points(least, true) } }, texts) : "";
    };
    room.ask.ask({ act: "offer", amount, more: words(), warning: short(), check: () => ({ warning: short() }), yes: (sure) => room.place("offer", sure, { royalty_bp: royalty }) });
  });
  return {
    draw() { enable(form, open(room)); preview(); },
    tick() {},
    answered(answer, bid, accepted) {
      problem(root, "bid-error", accepted ? "" : refusal(answer, texts));
      if (accepted && form) { clear(fields.amount); clear(fields.royalty); preview(); }
    },
  };
}

export const FORMATS = { english, sealed, dutch, scoring };
