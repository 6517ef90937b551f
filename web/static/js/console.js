/**
 * The auctioneer's console: price, leader, times and the journal's head by the socket, the rest fetched anew
 * from the page itself whenever something happened. What is being typed is left alone.
 */
import { replaceParts } from "./parts.js";
import { announce } from "./room-text.js";
import { face, headline, put, show, stamp, target } from "./room-view.js";
import { watch } from "./watch.js";

const root = document.querySelector("[data-console]");
const config = JSON.parse(root.dataset.console);
const { texts } = config;
const PAUSE = 1500;
const ADMISSIONS = 20000;

let view = config.view;
let now = () => Date.now();
let timer = 0;
let fetching = false;

async function refresh() {
  timer = 0;
  if (fetching || document.hidden) return;
  fetching = true;
  await replaceParts(root);
  fetching = false;
}
const soon = () => { timer ||= setTimeout(refresh, PAUSE); };

function draw() {
  const { caption, figure, holder } = headline(view, texts, now());
  put(root, "price", figure);
  put(root, "caption", caption);
  put(root, "leader", holder);
  put(root, "state", texts.states[view.state]);
  put(root, "bids", String(view.bid_count));
  put(root, "opens", stamp(view.opens_at));
  put(root, "ends", stamp(view.ends_at));
}

({ now } = watch(config, {
  changed(next, event) {
    view = next;
    if (event) {
      put(root, "seq", String(event.seq));
      put(root, "hash", event.hash.slice(0, 16));
      if (event.kind !== "bid_accepted") announce(texts.kinds[event.kind]);
    }
    draw();
    soon();
  },
  connection: (state) => show(root, "connection", state),
  watchers: (n) => put(root, "watchers", String(n)),
}));

setInterval(() => {
  const seconds = (Date.parse(target(view)) - now()) / 1000;
  put(root, "left", seconds > 0 && !view.outcome ? face(seconds) : "—");
  if (view.format === "dutch") draw();
}, 500);
setInterval(refresh, ADMISSIONS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
draw();
