// The text of a part of the page, which is kept compressed until it is opened (reports/html/parts.py).
const unpack = async (name) => {
  const packed = document.querySelector(`template[data-name="${name}"]`).content.textContent;
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
};
const canUnpack = () => {
  if ("DecompressionStream" in window) return true;
  document.getElementById("unpacked").hidden = false;
  return false;
};
