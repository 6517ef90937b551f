/** The frame: menu on small screens, colours without a reload, focus on the error summary, keys. */
const root = document.documentElement;

const toggle = document.querySelector("[data-menu]");
const nav = document.getElementById("nav");
if (toggle && nav) {
  root.classList.add("menu-js");
  toggle.hidden = false;
  const set = (open) => {
    nav.classList.toggle("is-open", open);
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => set(toggle.getAttribute("aria-expanded") !== "true"));
  nav.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || toggle.getAttribute("aria-expanded") !== "true") return;
    set(false);
    toggle.focus();
  });
}

// The choice is kept by the server (a cookie); the page changes at once. If the server cannot be reached the form goes the slow way.
for (const form of document.querySelectorAll("[data-theme-switch]")) {
  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (!button) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    body.set("theme", button.value);
    try {
      const answer = await fetch(form.action, { method: "POST", body, redirect: "manual", credentials: "same-origin" });
      if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(String(answer.status));
    } catch {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "theme", value: button.value });
      form.append(field);
      form.submit();
      return;
    }
    root.dataset.theme = button.value;
    document.querySelector('meta[name="color-scheme"]')?.setAttribute("content", button.value === "auto" ? "light dark" : button.value);
    for (const other of document.querySelectorAll('[data-theme-switch] button[name="theme"]')) {
      other.setAttribute("aria-pressed", String(other.value === button.value));
    }
  });
}

document.querySelector("[data-focus]")?.focus();

// "/" goes to the search field, unless one is writing.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]")) return;
  const field = document.getElementById("mast-q");
  if (!field) return;
  event.preventDefault();
  field.focus();
});
