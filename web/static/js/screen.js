/** The big screen of a hall: every lot on it follows its room, drawn from the same frames as the bidders' page. */
import { bidder, drawEntry, entryLine, face, headline, put, reveal, show, target, UPCOMING } from "./room-view.js";
import { fillIn, money } from "./room-text.js";
import { watch } from "./watch.js";

const NEAR = 60;
const ENTRIES = 6;
const PAUSE = 3000; // between two spoken sentences, so that a reader can follow a quick room

function wall(root) {
  const config = JSON.parse(root.dataset.wall);
  const { texts } = config;
  let { view } = config;
  let spoken = 0;
  let waiting = null;

  function say(text) {
    waiting = text;
    const due = Math.max(0, spoken + PAUSE - performance.now());
    setTimeout(() => {
      if (waiting === null) return;
      put(root, "say", waiting);
      waiting = null;
      spoken = performance.now();
    }, due);
  }

  function draw() {
    const { caption, figure, holder } = headline(view, texts, room.now());
    put(root, "state", texts.states[view.state]);
    put(root, "caption", caption);
    put(root, "price", figure);
    put(root, "leader", holder);
    put(root, "bids", String(view.bid_count));
    put(root, "notice", view.notice ?? "");
    reveal(root, "notice", Boolean(view.notice));
    put(root, "clock-label", UPCOMING.includes(view.state) ? texts.opens_in : texts.time_left);
    const left = (Date.parse(target(view)) - room.now()) / 1000;
    const running = !view.outcome && !["paused", "suspended", "withdrawn", "cancelled"].includes(view.state);
    put(root, "face", running ? (left > 0 ? face(left, texts.day) : texts.closing) : "—");
    root.querySelector("[data-live='face']").classList.toggle("is-near", running && left > 0 && left < NEAR);
  }

  const room = watch(config, {
    connection: (state) => show(root, "connection", state),
    changed(next, event) {
      view = next;
      draw();
      if (event === null) return;
      const list = root.querySelector("[data-live='journal']");
      list?.querySelector(".journal__none")?.remove();
      list?.prepend(drawEntry(entryLine(event, texts), texts));
      while (list && list.children.length > ENTRIES) list.lastElementChild.remove();
      if (event.kind === "bid_accepted" && event.data.amount_fen !== null) say(fillIn(texts.spoken_bid, { bidder: bidder(event.data.alias, texts), amount: money(event.data.amount_fen) }));
      else say(texts.kinds[event.kind]);
      // What a sale shows next is chosen by the server.
      if (view.outcome || event.kind === "opened") setTimeout(() => location.reload(), 15000);
    },
  });
  draw();
  setInterval(draw, 250);
}

document.querySelectorAll("[data-wall]").forEach(wall);
