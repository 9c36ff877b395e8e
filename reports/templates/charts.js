// Draws the figures. A colour "@name" in a figure is the page's CSS variable --name, so light, dark and print share one figure.
(() => {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);

  // A name may begin with "@", too: only what is a colour is looked up.
  const coloured = (value, style, isColour = false) => {
    if (isColour && typeof value === "string" && value[0] === "@") return style.getPropertyValue("--" + value.slice(1)).trim();
    if (Array.isArray(value)) return value.map((item) => coloured(item, style, isColour));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style, isColour || /color/.test(key))]));
    }
    return value;
  };

  const draw = (place) => {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const line = style.getPropertyValue("--line").trim();
    const figure = coloured(figures[place.dataset.key][place.dataset.figure], style);
    const narrow = place.clientWidth < 480;
    // Labels outside the bars take the same room on a telephone, and so a larger part of the width.
    const x = figure.layout.xaxis;
    if (narrow && x.fixedrange) x.range = [x.range[0], x.range[1] * 1.2];
    const axis = (own) => ({
      gridcolor: line, zerolinecolor: line, linecolor: line, tickfont: { size: narrow ? 11 : 12 }, ...own,
      title: own && own.title ? { ...own.title, font: { size: 12 }, standoff: 8 } : undefined,
    });
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, dragmode: false,
      font: { color: ink, size: narrow ? 11 : 12.5, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { align: "left" },
      ...figure.layout,
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom", itemsizing: "constant", itemclick: false, itemdoubleclick: false, ...figure.layout.legend },
      xaxis: axis(figure.layout.xaxis),
      yaxis: axis(figure.layout.yaxis),
    };
    return Plotly.react(place, figure.data, layout, { displayModeBar: false, responsive: true });
  };

  const shown = () => [...document.querySelectorAll(".chart")].filter((place) => place.offsetParent !== null);
  const drawShown = () => shown().forEach(draw);

  const buttons = [...document.querySelectorAll(".picker button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other === button));
        document.getElementById(other.dataset.panel).toggleAttribute("data-waiting", other !== button);
      }
      drawShown();
    });
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawShown);
  matchMedia("print").addEventListener("change", () => {
    drawShown();
    shown().forEach((place) => Plotly.Plots.resize(place));
  });
  drawShown();
})();
