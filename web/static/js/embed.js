// A lot's card in somebody else's page keeps itself current. It works without, until it is loaded again.

const seconds = Number(document.body.dataset.refresh);

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { credentials: "omit" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    const shown = document.querySelector("main");
    if (fresh && fresh.innerHTML !== shown.innerHTML && !shown.contains(document.activeElement)) {
      shown.replaceWith(document.adoptNode(fresh));
    }
    if (page.body.dataset.refresh === "0") clearInterval(timer);
  } catch {
    // Not reachable for now: the card keeps what it shows.
  }
}

const timer = seconds ? setInterval(renew, seconds * 1000) : 0;
