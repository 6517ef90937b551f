/** Forms get character counts, a plain reading of amounts, rows that can be added and removed, and one submission per click. */
const say = (text) => document.dispatchEvent(new CustomEvent("market:say", { detail: { text } }));
const locale = document.documentElement.lang || "zh-Hans";

// Characters as a reader counts them, not UTF-16 units: the server counts code points.
for (const area of document.querySelectorAll("[data-count]")) {
  const words = document.getElementById(`${area.id}-count`);
  const limit = Number(area.dataset.count);
  if (!words || !limit) continue;
  const draw = () => {
    const left = limit - [...area.value.replaceAll("\r\n", "\n")].length;
    words.textContent = (left < 0 ? words.dataset.over : words.dataset.left).replace("{n}", Math.abs(left).toLocaleString(locale));
    words.classList.toggle("is-over", left < 0);
    return left;
  };
  let timer = 0;
  area.addEventListener("input", () => {
    const left = draw();
    clearTimeout(timer);
    if (left < limit * 0.1) timer = setTimeout(() => say(words.textContent), 1000);
  });
  draw();
}

// What was typed, in full digits: 120 万元 is ¥1,200,000. String arithmetic, so nothing is rounded.
function reading(text, unit) {
  const clean = text.replace(/[,\s¥,]/g, "");
  if (!/^\d{1,15}(\.\d+)?$/.test(clean)) return "";
  const [whole, part = ""] = clean.split(".");
  const shift = unit === "wan" ? 4 : 0;
  const digits = whole + part.padEnd(shift, "0").slice(0, shift);
  const rest = part.slice(shift).replace(/0+$/, "");
  if (rest.length > 2) return "";
  return `= ¥${BigInt(digits).toLocaleString("en")}${rest ? `.${rest.padEnd(2, "0")}` : ""}`;
}
function watchMoney(input) {
  const place = document.createElement("p");
  place.className = "field__reading";
  const draw = () => { place.textContent = reading(input.value, input.dataset.money); };
  input.closest(".control")?.after(place);
  input.addEventListener("input", draw);
  draw();
}
document.querySelectorAll("[data-money]").forEach(watchMoney);

for (const box of document.querySelectorAll("[data-repeat]")) {
  const rows = box.querySelector("[data-rows]");
  const blank = box.querySelector("template[data-blank]");
  const add = box.querySelector("[data-add]");
  if (!rows || !blank || !add) continue;
  let next = Number(box.dataset.next) || rows.children.length;

  const number = () => {
    [...rows.children].forEach((row, at) => {
      row.querySelector("[data-remove]")?.setAttribute("aria-label", box.dataset.removeText.replace("{n}", at + 1));
    });
  };
  const equip = (row) => {
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "btn btn--quiet btn--small";
    remove.dataset.remove = "";
    remove.textContent = "✕";
    remove.addEventListener("click", () => {
      row.remove();
      number();
      say(box.dataset.removed);
      add.focus();
    });
    row.append(remove);
  };
  // Spare rows are for browsers without scripts; here one is enough when there is nothing yet.
  const spare = [...rows.querySelectorAll("[data-spare]")].filter((row) => [...row.querySelectorAll("input, textarea")].every((f) => !f.value));
  spare.slice(rows.children.length === spare.length ? 1 : 0).forEach((row) => row.remove());
  [...rows.children].forEach(equip);
  add.hidden = false;
  add.addEventListener("click", () => {
    const holder = document.createElement("template");
    holder.innerHTML = blank.innerHTML.replaceAll("__i__", String(next));
    next += 1;
    const row = holder.content.firstElementChild;
    equip(row);
    rows.append(row);
    row.querySelectorAll("[data-money]").forEach(watchMoney);
    number();
    say(box.dataset.added);
    row.querySelector("input, textarea, select")?.focus();
  });
  number();
}

// On a phone the filters fold away, so that what was found comes first.
if (matchMedia("(max-width: 59.99em)").matches) {
  for (const facet of document.querySelectorAll("details.facet")) {
    if (!facet.querySelector("input:checked")) facet.open = false;
  }
  for (const fold of document.querySelectorAll(".facets__fold")) fold.open = false;
}

// A second click on a slow connection must not send a form twice. Bids have their own ids and are left alone.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.matches("[data-live], [data-theme-switch]")) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  setTimeout(() => { delete form.dataset.sent; }, 8000);
});
window.addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => { delete form.dataset.sent; }));
