/**
 * Times are shown as Beijing time; a reader elsewhere finds their own in the title.
 * Visible clocks (data-countdown) tick here on ordinary pages; inside data-room the room's own, server-checked clock rules.
 */
const language = document.documentElement.lang || undefined;
const shanghai = "Asia/Shanghai";
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (here && here !== shanghai) {
  const local = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time[data-time]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = `${time.title ? `${time.title} · ` : ""}${local.format(at)} (${here})`;
  }
}

const clocks = [...document.querySelectorAll("[data-countdown]")].filter((clock) => !clock.closest("[data-room]"));
const two = (n) => String(n).padStart(2, "0");
function draw() {
  const now = Date.now();
  for (const clock of clocks) {
    const left = Math.floor((Date.parse(clock.dataset.countdown) - now) / 1000);
    if (Number.isNaN(left)) continue;
    const days = Math.floor(left / 86400);
    const rest = `${two(Math.floor((left % 86400) / 3600))}:${two(Math.floor((left % 3600) / 60))}:${two(left % 60)}`;
    const text = left <= 0 ? clock.dataset.over : days ? `${days}${clock.dataset.day} ${rest}` : rest;
    const face = clock.querySelector("time") ?? clock;
    if (face.textContent !== text) face.textContent = text;
    clock.classList.toggle("is-near", left > 0 && left < 600);
  }
}
if (clocks.length) {
  draw();
  setInterval(draw, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) draw(); });
}
