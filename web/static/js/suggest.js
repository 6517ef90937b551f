/**
 * Suggestions while one types in a search field marked data-suggest: a combobox whose list is chosen from by hand
 * (WAI-ARIA Authoring Practices, "list autocomplete with manual selection"). The field is a plain one without this.
 *
 * Nothing is asked while an input method is composing: its letters are not what one is looking for.
 */
const REST = 150; // ms without a key before anything is asked
const KEPT = 50;
const say = (text) => document.dispatchEvent(new CustomEvent("market:say", { detail: { text } }));

function equip(input) {
  const words = input.dataset;
  const list = document.createElement("ul");
  const kept = new Map();
  let items = [];
  let at = -1;
  let timer = 0;
  let asking = null;
  let composing = false;
  let restUntil = 0;

  list.id = `${input.id}-list`;
  list.className = "suggest";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", words.suggestLabel);
  list.hidden = true;
  input.form.append(list);
  for (const [name, value] of Object.entries({
    role: "combobox", autocomplete: "off", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id,
  })) input.setAttribute(name, value);

  const typed = () => input.value.trim();

  function point(to) {
    at = to;
    [...list.children].forEach((option, n) => option.setAttribute("aria-selected", String(n === at)));
    const option = list.children[at];
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function close() {
    clearTimeout(timer);
    asking?.abort();
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    point(-1);
  }

  function draw(found) {
    const before = list.hidden ? 0 : items.length;
    items = found;
    list.replaceChildren(...items.map((item, n) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${n}`;
      option.setAttribute("role", "option");
      const text = document.createElement("span");
      const kind = document.createElement("small");
      text.textContent = item.text;
      kind.textContent = words[`suggest${item.kind[0].toUpperCase()}${item.kind.slice(1)}`] ?? "";
      option.append(text, kind);
      option.addEventListener("click", () => choose(item));
      return option;
    }));
    point(-1);
    list.hidden = items.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (!list.hidden && items.length !== before) say(words.suggestCount.replace("{n}", items.length));
  }

  function choose(item) {
    close();
    if (item.kind === "keyword") {
      input.value = item.text;
      input.form.requestSubmit();
    } else location.assign(item.href);
  }

  async function ask() {
    const wanted = typed();
    if (!wanted || performance.now() < restUntil) return close();
    if (kept.has(wanted)) return draw(kept.get(wanted));
    asking = new AbortController();
    const { signal } = asking;
    try {
      const answer = await fetch(`${words.suggest}?q=${encodeURIComponent(wanted)}`, { signal, credentials: "omit" });
      if (answer.status === 429) restUntil = performance.now() + 1000 * (Number(answer.headers.get("Retry-After")) || 30);
      if (!answer.ok) return close();
      const { items: found } = await answer.json();
      if (kept.size >= KEPT) kept.delete(kept.keys().next().value);
      kept.set(wanted, found);
      if (!signal.aborted && typed() === wanted && document.activeElement === input) draw(found);
    } catch {
      if (!signal.aborted) close();
    }
  }

  function soon() {
    clearTimeout(timer);
    asking?.abort();
    if (!typed()) close();
    else timer = setTimeout(ask, REST);
  }

  input.addEventListener("compositionstart", () => { composing = true; close(); });
  input.addEventListener("compositionend", () => { composing = false; soon(); });
  input.addEventListener("input", (event) => { if (!composing && !event.isComposing) soon(); });
  input.addEventListener("blur", close);
  input.form.addEventListener("submit", close);
  // The field keeps the focus while the list is used with a pointer.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("mousedown", (event) => event.preventDefault());

  input.addEventListener("keydown", (event) => {
    // 229: some browsers say so of the key that ends a composition, after its end.
    if (event.isComposing || composing || event.keyCode === 229 || event.ctrlKey || event.metaKey) return;
    const open = !list.hidden;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        if (!typed()) return;
        event.preventDefault();
        if (!open) { ask(); return; }
        if (event.altKey) { if (event.key === "ArrowUp") close(); return; }
        // The field itself lies between the last and the first.
        const places = items.length + 1;
        point((at + 1 + (event.key === "ArrowDown" ? 1 : -1) + places) % places - 1);
        return;
      }
      case "Enter":
        if (!open || at < 0) return;
        event.preventDefault();
        choose(items[at]);
        return;
      case "Escape":
        if (!open) return;
        event.preventDefault();
        event.stopPropagation();
        close();
        return;
      case "Home":
      case "End":
        if (open && at >= 0) point(-1);
    }
  });
}

document.querySelectorAll("[data-suggest]").forEach(equip);
