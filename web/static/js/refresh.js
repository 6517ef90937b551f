/** Fetches a page anew every so many seconds (data-refresh) while it is looked at, and replaces its data-part places. */
const root = document.querySelector("[data-refresh]");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of root.querySelectorAll("[data-part]")) {
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!other || part.contains(document.activeElement) || other.innerHTML === part.innerHTML) continue;
      part.replaceChildren(...document.adoptNode(other).childNodes);
    }
  } catch {
    // Away for a moment: the next turn tries again.
  }
}

if (root) setInterval(refresh, Number(root.dataset.refresh) * 1000);
