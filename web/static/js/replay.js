/**
 * The replay of a lot: the frames that its room sent, drawn at any moment of a time slider.
 * Without this module the slider is a form, and the server draws the moment that is asked for.
 */
import { drawEntry, entryLine, face, headline, project, put, reveal, stamp, target } from "./room-view.js";
import { fillIn } from "./room-text.js";

const root = document.querySelector("[data-replay]");
const config = JSON.parse(root.dataset.replay);
const { texts } = config;
const slider = root.querySelector("[data-live='slider']");
const play = root.querySelector("[data-live='play']");
const SHOWN = 200;

const film = await (await fetch(config.frames)).json();
const begins = Date.parse(film.begins_at);
const moments = film.events.map((event) => Date.parse(event.at));
const views = film.events.reduce(
  (all, event) => [...all, project(all.at(-1), event)],
  [film.view],
);

const countAt = (ms) => moments.filter((at) => at <= ms).length;
let now = begins + Number(slider.value) * 1000;
let running = false;

function draw() {
  const count = countAt(now);
  const view = views[count];
  const { caption, figure, holder } = headline(view, texts, now);
  put(root, "at", stamp(now));
  put(root, "place", fillIn(texts.replay_place, { n: count, all: moments.length }));
  put(root, "state", texts.states[view.state]);
  put(root, "caption", caption);
  put(root, "price", figure);
  put(root, "leader", holder);
  put(root, "clock-label", ["announced", "registration"].includes(view.state) ? texts.opens_in : texts.time_left);
  put(root, "face", view.outcome ? "—" : face((Date.parse(target(view)) - now) / 1000, texts.day));
  put(root, "notice", view.notice ?? "");
  reveal(root, "notice", Boolean(view.notice));
  const list = root.querySelector("[data-live='journal']");
  list.replaceChildren(...film.events.slice(Math.max(0, count - SHOWN), count).reverse().map((event) => drawEntry(entryLine(event, texts), texts)));
  slider.value = String(Math.round((now - begins) / 1000));
  slider.setAttribute("aria-valuetext", `${stamp(now)} · ${figure} · ${holder}`);
}

function go(ms) {
  now = Math.min(Math.max(ms, begins), begins + film.lasts_s * 1000);
  draw();
}

function run(on) {
  running = on;
  play.setAttribute("aria-pressed", String(on));
  play.dataset.state = on ? "pause" : "play";
}

let last = performance.now();
function frame(at) {
  const gone = at - last;
  last = at;
  if (running) {
    const before = countAt(now);
    now = Math.min(now + gone * Number(root.querySelector("[data-live='speed']").value), begins + film.lasts_s * 1000);
    const end = now >= begins + film.lasts_s * 1000;
    // The figure of a falling price and the clock move between entries too.
    if (countAt(now) !== before || end || Math.floor(at / 200) !== Math.floor((at - gone) / 200)) draw();
    if (end) run(false);
  }
  requestAnimationFrame(frame);
}

for (const name of ["play", "previous", "next", "speed-label"]) reveal(root, name, true);
reveal(root, "show", false);
run(false);
slider.addEventListener("input", () => { run(false); go(begins + Number(slider.value) * 1000); });
play.addEventListener("click", () => {
  if (!running && now >= begins + film.lasts_s * 1000) now = begins;
  run(!running);
});
root.querySelector("[data-live='previous']").addEventListener("click", () => { run(false); go(moments.findLast((at) => at < now) ?? begins); });
root.querySelector("[data-live='next']").addEventListener("click", () => { run(false); go(moments.find((at) => at > now) ?? now); });
draw();
requestAnimationFrame(frame);
