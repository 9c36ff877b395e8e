// A click on a design of the front's picture opens its own report, or tells the command that writes one.
addEventListener("DOMContentLoaded", () => {
  "use strict";
  const place = document.querySelector('.chart[data-figure="front"]');
  const told = document.getElementById("picked");
  if (!place || !told || !place.on) return;
  const links = JSON.parse(document.getElementById("links").textContent);
  const folder = () => {
    const path = location.protocol === "file:" ? decodeURIComponent(location.pathname) : "";
    return path.slice(0, path.lastIndexOf("/")) || "DIRECTORY";
  };
  place.on("plotly_click", (event) => {
    const point = event.points.find((each) => each.customdata);
    if (!point) return;
    const key = point.customdata[point.customdata.length - 1];
    told.replaceChildren(`Design ${key}: `);
    if (links[key]) {
      told.append(Object.assign(document.createElement("a"), { href: links[key], textContent: "its full report" }));
      open(links[key], "_blank");
    } else {
      const command = `bisparse report ${folder()} --design ${key}`;
      told.append("its full report is written by ", Object.assign(document.createElement("code"), { textContent: command }));
    }
  });
});
