/** Looks at the draft of a demand again after a pause in typing, and says how much there is to say. The button does the same without scripts. */
const form = document.getElementById("demand-form");
const place = document.querySelector("[data-help-place]");
const PAUSE = 1500;
const say = (text) => document.dispatchEvent(new CustomEvent("market:say", { detail: { text } }));
let timer = 0;
let asked = null;
let composing = false;
let before = "";

/** What the help depends on; contact data are not sent. */
function entered() {
  const data = new FormData(form);
  for (const name of ["contact_name", "contact_phone", "contact_email", "do"]) data.delete(name);
  return new URLSearchParams([...data].filter(([, value]) => typeof value === "string"));
}

async function look() {
  const body = entered();
  if (composing || body.toString() === before) return;
  before = body.toString();
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(form.dataset.help, { method: "POST", body, signal: asked.signal, credentials: "same-origin" });
    if (!answer.ok) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    const help = holder.content.firstElementChild;
    // Whoever stands on a link in the help is not thrown off it.
    if (!help || place.contains(document.activeElement)) { before = ""; return; }
    const said = place.querySelector("[data-said]")?.dataset.said;
    place.replaceChildren(help);
    if (help.dataset.said !== said) say(help.dataset.said);
  } catch {
    before = "";
  }
}

if (form && place) {
  before = entered().toString();
  const later = () => { clearTimeout(timer); timer = setTimeout(look, PAUSE); };
  form.addEventListener("compositionstart", () => { composing = true; clearTimeout(timer); });
  form.addEventListener("compositionend", () => { composing = false; later(); });
  form.addEventListener("input", () => { if (!composing) later(); });
  form.addEventListener("submit", () => { clearTimeout(timer); asked?.abort(); });
}
