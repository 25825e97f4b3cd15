(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    const rows = [...document.querySelectorAll(".row")];
    const counted = rows.filter((row) => !("again" in row.dataset));  // a cluster has a row in two tables
    const search = document.getElementById("search");
    const count = document.getElementById("count");
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.classList.toggle("unmatched", !words.every((word) => row.dataset.text.includes(word)));
      if (words.length) document.querySelectorAll(".bulk").forEach((part) => { part.open = true; });
      const visible = counted.filter((row) => !row.classList.contains("unmatched")).length;
      count.textContent = words.length ? `${visible} of ${counted.length} ${search.dataset.of || "controls"} shown` : "";
    });
  });
})();
