(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  document.addEventListener("DOMContentLoaded", () => {
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
  });
})();
