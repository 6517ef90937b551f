/**
 * The draft of a lot: only the fields that the chosen format and organiser use are shown. Hidden ones keep their values,
 * but not their limits: a browser refuses to send a form for a field that it cannot show.
 */
const form = document.querySelector("[data-lot-form]");
const among = (name, format) => form.dataset[name].split(" ").includes(format);

const LIMITS = ["required", "min", "max", "step", "maxlength"];

function limit(control) {
  const hidden = control.closest("[hidden]") !== null;
  for (const name of LIMITS) {
    const [from, to] = hidden ? [name, `data-kept-${name}`] : [`data-kept-${name}`, name];
    if (!control.hasAttribute(from)) continue;
    control.setAttribute(to, control.getAttribute(from));
    control.removeAttribute(from);
  }
}

function draw() {
  const format = form.querySelector('input[name="terms.format"]:checked')?.value ?? "";
  const organiser = form.querySelector('input[name="terms.organiser_type"]:checked')?.value ?? "";
  for (const part of form.querySelectorAll("[data-for-format]")) part.hidden = part.dataset.forFormat !== format;
  for (const part of form.querySelectorAll("[data-not-format]")) part.hidden = part.dataset.notFormat === format;
  for (const part of form.querySelectorAll('[data-for="steps"]')) part.hidden = !among("stepped", format);
  for (const part of form.querySelectorAll('[data-for="soft"]')) part.hidden = !among("soft", format);
  for (const part of form.querySelectorAll('[data-for="ranked"]')) part.hidden = !among("ranked", format);
  for (const part of form.querySelectorAll("[data-organiser]")) part.hidden = part.dataset.organiser !== organiser;
  form.querySelectorAll("input, select").forEach(limit);
}

if (form) {
  form.addEventListener("change", draw);
  draw();
}
