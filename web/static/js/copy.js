/** Copy buttons: shown only where the browser can copy. */
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
      } catch {
        return;
      }
      document.dispatchEvent(new CustomEvent("market:say", { detail: { text: button.dataset.done } }));
      const use = button.querySelector("use");
      if (!use) return;
      const before = use.getAttribute("href");
      use.setAttribute("href", before.replace(/#.*/, "#check"));
      setTimeout(() => use.setAttribute("href", before), 2000);
    });
  }
}
