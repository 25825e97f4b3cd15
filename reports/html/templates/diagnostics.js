(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    if (!("DecompressionStream" in window)) {
      document.getElementById("unpacked").hidden = false;
      return;
    }
    document.querySelectorAll("details[data-part]").forEach((item) => {
      const show = async () => {
        const shown = item.querySelector("pre");
        if (!item.open || shown.dataset.built) return;
        shown.dataset.built = "";
        const packed = document.querySelector(`template[data-name="${item.dataset.part}"]`).content.textContent;
        const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
        shown.textContent = await new Response(stream).text() || "(empty)";
      };
      item.addEventListener("toggle", show);
      show();
    });
  });
})();
