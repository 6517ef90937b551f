/**
 * Speaks for the page.  Any module says
 *   document.dispatchEvent(new CustomEvent("market:say", { detail: { text, urgent } }))
 * Polite sentences are gathered and spoken at most once in five seconds, newest last; urgent ones go out at once.
 */
const polite = document.getElementById("announcer");
const alarm = document.getElementById("alarm");
const PAUSE = 5000;
let waiting = [];
let timer = 0;
let spokenAt = -PAUSE;

function speak() {
  timer = 0;
  if (!polite || waiting.length === 0) return;
  polite.textContent = waiting.slice(-3).join(" ");
  waiting = [];
  spokenAt = performance.now();
}

document.addEventListener("market:say", (event) => {
  const { text = "", urgent = false } = event.detail ?? {};
  if (!text) return;
  if (urgent && alarm) {
    alarm.textContent = "";
    requestAnimationFrame(() => { alarm.textContent = text; });
    return;
  }
  waiting.push(text);
  if (!timer) timer = setTimeout(speak, Math.max(150, PAUSE - (performance.now() - spokenAt)));
});
