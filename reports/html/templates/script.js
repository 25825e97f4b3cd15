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

    const cases = all(".case");
    const search = document.getElementById("search");
    const count = document.getElementById("count");
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const hidden = new Set(all(".tools input[type=checkbox]").filter((box) => !box.checked).map((box) => box.value));
      let visible = 0;
      for (const item of cases) {
        const text = item.dataset.text.toLowerCase();
        item.classList.toggle("unmatched", !words.every((word) => text.includes(word)));
        item.dataset.hidden = item.classList.contains("unmatched") || hidden.has(item.dataset.verdict) ? "yes" : "";
        visible += item.dataset.hidden ? 0 : 1;
      }
      for (const group of all(".group")) group.classList.toggle("empty", !all(".case", group).some((item) => !item.dataset.hidden) && !all(".bulk", group).length);
      count.textContent = visible === cases.length ? "" : `${visible} of ${cases.length} cases shown`;
    };
    search.addEventListener("input", filter);
    all(".tools input[type=checkbox]").forEach((box) => box.addEventListener("change", filter));
    filter();

    document.getElementById("open-all").addEventListener("click", (event) => {
      const open = cases.some((item) => !item.dataset.hidden && !item.open);
      cases.forEach((item) => { if (!item.dataset.hidden) item.open = open; });
      event.target.textContent = open ? "Close all" : "Open all";
    });

    const follow = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const item = target && (target.closest(".case, .bulk") || target.nextElementSibling?.closest(".case"));
      if (!item) return;
      if (item.dataset.hidden) {
        search.value = "";
        all(".tools input[type=checkbox]").forEach((box) => { box.checked = true; });
        filter();
      }
      item.open = true;
      target.scrollIntoView();
    };
    addEventListener("hashchange", follow);
    follow();

    // Paper cannot be clicked: browsers that print closed parts as closed get them opened.
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = all("details:not([open])");
      closed.forEach((item) => { item.open = true; });
    });
    addEventListener("afterprint", () => closed.forEach((item) => { item.open = false; }));
  });
})();
