// Links and forms of the pages work without this, by loading the page anew. With it they are told to the
// kernel that is there already: quicker, and Back and Forward work.
(() => {
  const box = () => document.querySelector("#ludus-address marimo-text");
  let moved = false;

  const tell = (address, push) => {
    const element = box();
    if (!element) return false;
    const [asked, anchor] = address.split("#");
    if (push) history.pushState({}, "", "?" + address);
    moved = anchor || true;
    element.dispatchEvent(
      new CustomEvent("marimo-value-input", {
        bubbles: true,
        composed: true,
        detail: { value: asked, element },
      }),
    );
    return true;
  };

  document.addEventListener(
    "click",
    (event) => {
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      const link = event.composedPath().find((node) => node.tagName === "A");
      const to = link && link.getAttribute("href");
      if (!to || !link.closest(".ludus")) return;
      if (to.startsWith("#")) {
        const target = document.getElementById(to.slice(1));
        if (target) {
          event.preventDefault();
          target.scrollIntoView();
        }
      } else if (to.startsWith("?") && tell(to.slice(1), true)) {
        event.preventDefault();
      }
    },
    true,
  );

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.composedPath()[0];
      if (!form.closest(".ludus")) return;
      const asked = new URLSearchParams();
      for (const [name, value] of new FormData(form)) if (value !== "") asked.append(name, value);
      if (tell(asked.toString(), true)) event.preventDefault();
    },
    true,
  );

  document.addEventListener("keydown", (event) => {
    const form = event.target.closest && event.target.closest(".ludus form.ask");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  addEventListener("popstate", () => tell(location.search.slice(1), false));

  // A new page begins at its heading, also for who does not see it.
  new MutationObserver((changes) => {
    if (!moved) return;
    for (const change of changes) {
      for (const node of change.addedNodes) {
        const page = node.nodeType === 1 && (node.matches("[data-page]") ? node : node.querySelector("[data-page]"));
        if (!page) continue;
        const target = typeof moved === "string" && document.getElementById(moved);
        moved = false;
        const heading = page.querySelector("h1");
        if (heading) heading.focus({ preventScroll: true });
        (target || document.querySelector("#ludus-top") || page).scrollIntoView();
        return;
      }
    }
  }).observe(document, { childList: true, subtree: true });
})();
