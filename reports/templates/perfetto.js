// Hands a timeline to Perfetto's page, which answers a PING once it listens. Only that page gets it.
(() => {
  "use strict";
  const SITE = "https://ui.perfetto.dev";
  const hand = (bytes, name, told) => {
    const other = open(SITE);
    if (!other) {
      told.textContent = `The browser let no window open: go to ${SITE} and open ${name} there.`;
      return;
    }
    told.textContent = `${name} goes to ${SITE} …`;
    const asking = setInterval(() => other.postMessage("PING", SITE), 100);
    const stop = (words) => {
      clearInterval(asking);
      clearTimeout(late);
      removeEventListener("message", heard);
      told.textContent = words;
    };
    const heard = (event) => {
      if (event.origin !== SITE || event.data !== "PONG") return;
      stop(`${name} is open in Perfetto.`);
      other.postMessage({ perfetto: { buffer: bytes.buffer, title: document.title, fileName: name } }, SITE);
    };
    const late = setTimeout(() => stop(`${SITE} did not answer: open ${name} there.`), 60000);
    addEventListener("message", heard);
  };
  for (const place of document.querySelectorAll(".perfetto")) {
    const told = place.querySelector("[role=status]"), file = place.querySelector("input");
    file.addEventListener("change", async () => {
      if (file.files[0]) hand(new Uint8Array(await file.files[0].arrayBuffer()), file.files[0].name, told);
    });
  }
})();
