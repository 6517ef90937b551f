/**
 * The confirmation before a bid. `ask({act, amount, more, check})` shows it and calls `yes(amount)` when it is given; while
 * it is open `refresh()` lets `check` say what has changed: `{amount, warning}`.
 */
import { capital, fillIn, money } from "./room-text.js";

export class Ask {
  #open = null;

  constructor(dialog, texts) {
    this.dialog = dialog;
    this.texts = texts;
    dialog?.addEventListener("close", () => {
      const asked = this.#open;
      this.#open = null;
      if (asked && dialog.returnValue === "yes") asked.yes(asked.amount);
    });
  }

  get possible() { return Boolean(this.dialog?.showModal); }

  #part(name) { return this.dialog.querySelector(`[data-confirm="${name}"]`); }

  ask(question) {
    this.#open = question;
    this.#part("title").textContent = this.texts.confirm[question.act];
    this.#part("more").textContent = question.more ?? "";
    this.#part("more").hidden = !question.more;
    this.#figure(question.amount);
    this.#warn(question.warning ?? "");
    this.dialog.returnValue = "";
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** The room has changed while the question is open. */
  refresh() {
    const asked = this.#open;
    if (!asked?.check) return;
    const { amount = asked.amount, warning, more } = asked.check(asked.amount);
    if (amount !== asked.amount) { asked.amount = amount; this.#figure(amount); }
    if (more !== undefined) this.#part("more").textContent = more;
    if (warning !== undefined) this.#warn(warning);
  }

  #figure(amount) {
    this.#part("amount").textContent = money(amount);
    this.#part("words").textContent = capital(amount);
  }

  #warn(text) {
    const place = this.#part("jump");
    if (place.textContent !== text) place.textContent = text;
    place.hidden = !text;
  }
}

/** Writes a refusal at a form, and marks the field that it is about. */
export function problem(root, name, text, field = null) {
  const box = root.querySelector(`[data-live="${name}"]`);
  if (!box) return;
  box.querySelector(`[data-live="${name}-text"]`).textContent = text;
  box.hidden = !text;
  if (!field) return;
  if (text) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

/** How many steps too far, in words; nothing for an ordinary bid. */
export const jumpWarning = (steps, texts, large) => (steps >= large ? fillIn(texts.large_jump, { n: Math.floor(steps) + 1 }) : "");
