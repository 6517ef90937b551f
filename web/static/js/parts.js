/** Fetches the page anew and replaces what changed in its data-part places, save where somebody types or reads. */
const used = (part) => part.contains(document.activeElement) && !document.activeElement.matches("button");

export async function replaceParts(root) {
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of root.querySelectorAll("[data-part]")) {
      if (part.dataset.part === "error" || used(part)) continue;
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (other && other.innerHTML !== part.innerHTML) part.replaceChildren(...document.adoptNode(other).childNodes);
    }
  } catch {
    // Away for a moment: the next turn tries again.
  }
}
