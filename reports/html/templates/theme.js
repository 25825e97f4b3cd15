(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // A file opened from disk may have no storage: the choice then lasts for this view.
  const stored = {
    get: () => { try { return localStorage.getItem("meshproof-theme"); } catch { return null; } },
    set: (theme) => { try { localStorage.setItem("meshproof-theme", theme); } catch { /* nothing to keep it in */ } },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shown = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  if (["light", "dark"].includes(stored.get())) root.dataset.theme = stored.get();

  document.addEventListener("DOMContentLoaded", () => {
    const toggle = document.getElementById("theme");
    const label = () => { toggle.textContent = shown() === "dark" ? "Light theme" : "Dark theme"; };
    toggle.addEventListener("click", () => {
      root.dataset.theme = shown() === "dark" ? "light" : "dark";
      stored.set(root.dataset.theme);
      label();
    });
    dark.addEventListener("change", label);
    label();

    // What a link leads to must not be under the bar, whose height depends on the window.
    const bar = document.querySelector(".tools");
    const leaveRoom = () => {
      const covers = getComputedStyle(bar).position === "sticky";
      root.style.scrollPaddingTop = covers ? `${bar.offsetHeight + 8}px` : "";
    };
    if (bar) new ResizeObserver(leaveRoom).observe(bar);

    // Paper cannot be clicked: browsers that print closed parts as closed get them opened.
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = all("details:not([open])");
      closed.forEach((item) => { item.open = true; });
    });
    addEventListener("afterprint", () => closed.forEach((item) => { item.open = false; }));
  });
})();
