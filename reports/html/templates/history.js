(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    const rows = [...document.querySelectorAll(".row")];
    const search = document.getElementById("search");
    const count = document.getElementById("count");
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let visible = 0;
      for (const row of rows) {
        const matches = words.every((word) => row.dataset.text.includes(word));
        row.classList.toggle("unmatched", !matches);
        visible += matches ? 1 : 0;
      }
      if (words.length) document.querySelectorAll(".bulk").forEach((part) => { part.open = true; });
      count.textContent = words.length ? `${visible} of ${rows.length} controls shown` : "";
    });
  });
})();
