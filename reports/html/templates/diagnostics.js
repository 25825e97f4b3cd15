(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    if (!canUnpack()) return;
    document.querySelectorAll("details[data-part]").forEach((item) => {
      const show = async () => {
        const shown = item.querySelector("pre");
        if (!item.open || shown.dataset.built) return;
        shown.dataset.built = "";
        shown.textContent = await unpack(item.dataset.part) || "(empty)";
      };
      item.addEventListener("toggle", show);
      show();
    });
  });
})();
