// Draws the figures. A colour "@name" in a figure is the page's CSS variable --name, so light, dark and print share one figure.
(() => {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const NARROW = 480;
  // What A4 and Letter have room for within their margins, and half of it.
  const PAPER = 670, BESIDE = 320;
  let onPaper = false;

  // A name may begin with "@", too: only what is a colour is looked up.
  const coloured = (value, style, isColour = false) => {
    if (isColour && typeof value === "string" && value[0] === "@") return style.getPropertyValue("--" + value.slice(1)).trim();
    if (Array.isArray(value)) return value.map((item) => coloured(item, style, isColour));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style, isColour || /color/.test(key))]));
    }
    return value;
  };

  // What a narrow screen has otherwise, part by part.
  const joined = (one, other) => {
    const made = { ...one };
    for (const [key, value] of Object.entries(other || {})) {
      made[key] = value && typeof value === "object" && !Array.isArray(value) ? joined(one[key], value) : value;
    }
    return made;
  };

  const hue = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const figureOf = (place) => figures[place.dataset.key][place.dataset.figure];
  // Axes that nobody may move stay as they are; the others zoom.
  const moved = (place) => Object.entries(place.layout || {}).filter(([name, axis]) => /^[xy]axis/.test(name) && !axis.fixedrange && !axis.matches);

  const draw = (place) => {
    // What is drawn already only needs its buttons.
    if (place.classList.contains("drawing")) return furnish(place);
    const own = figureOf(place);
    if (own.parallel) {
      drawParallel(place, own.parallel, hue);
      return furnish(place);
    }
    const style = getComputedStyle(document.documentElement);
    const ink = hue("ink"), line = hue("line");
    const figure = coloured(own, style);
    const narrow = place.clientWidth < NARROW;
    if (narrow) figure.layout = joined(figure.layout, figure.narrow);
    // Labels outside the bars take the same room on a telephone, and so a larger part of the width.
    const x = figure.layout.xaxis;
    if (narrow && x.fixedrange && x.range) x.range = [x.range[0], x.range[1] * 1.2];
    const axis = (its) => ({
      gridcolor: line, zerolinecolor: line, linecolor: line, tickfont: { size: narrow ? 11 : 12 }, ...its,
      title: its && its.title ? { ...its.title, font: { size: 12 }, standoff: 8 } : undefined,
    });
    // Lower on paper: fewer pages end half empty.
    if (onPaper || matchMedia("print").matches) figure.layout.height = Math.round(0.7 * figure.layout.height);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      // Dragging zooms where there is a mouse; on glass it must go on scrolling the page.
      dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
      font: { color: ink, size: narrow ? 11 : 12.5, family: getComputedStyle(document.body).fontFamily },
      ...figure.layout,
      hoverlabel: { align: "left", bgcolor: hue("card"), bordercolor: hue("quiet"), font: { color: ink } },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom", itemsizing: "constant", itemclick: false, itemdoubleclick: false, ...figure.layout.legend },
      xaxis: axis(figure.layout.xaxis),
      yaxis: axis(figure.layout.yaxis),
    };
    return Plotly.react(place, figure.data, layout, { displayModeBar: false, responsive: true }).then(() => furnish(place));
  };

  // The buttons under a figure ---------------------------------------------------------------------------------------
  const words = (text) => text.normalize("NFKD").replace(/[^\w.]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80).toLowerCase();

  const keep = (place, address, format) => {
    const panel = document.getElementById(place.dataset.key);
    const run = panel && panel.querySelector(".run");
    const name = words(`${run ? run.firstChild.textContent : document.title} ${place.dataset.figure}`);
    Object.assign(document.createElement("a"), { href: address, download: `${name}.${format}` }).click();
  };

  // What the page shows, on paper of its own: a transparent picture in dark would be unreadable elsewhere.
  const picture = async (place, format) => {
    const { width, height } = place.getBoundingClientRect();
    if (!place.querySelector("svg.main-svg")) {
      const svg = place.querySelector("svg").cloneNode(true);
      svg.style.background = hue("paper");
      svg.setAttribute("width", Math.round(width));
      svg.setAttribute("height", Math.round(height));
      svg.setAttribute("font-family", getComputedStyle(document.body).fontFamily);
      const text = new XMLSerializer().serializeToString(svg).replace(/var\(--(\w+)\)/g, (_, name) => hue(name));
      const address = "data:image/svg+xml," + encodeURIComponent(text);
      if (format === "svg") return address;
      const image = Object.assign(new Image(), { src: address });
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: 2 * image.width, height: 2 * image.height });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.toDataURL();
    }
    const layout = { ...place.layout, paper_bgcolor: hue("paper") };
    return Plotly.toImage({ data: place.data, layout }, { format, width: Math.round(width), height: Math.round(height), scale: 2 });
  };

  const zoom = (place, factor) => {
    const full = place._fullLayout, change = {};
    for (const [name] of moved(place)) {
      const [low, high] = full[name].range.map(Number);
      const middle = (low + high) / 2, half = ((high - low) / 2) * factor;
      change[`${name}.range`] = [middle - half, middle + half];
    }
    Plotly.relayout(place, change);
  };

  const furnish = (place) => {
    if (place.nextElementSibling && place.nextElementSibling.classList.contains("tools")) return;
    const tools = Object.assign(document.createElement("div"), { className: "tools" });
    const button = (text, told, act) => {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, title: told });
      made.setAttribute("aria-label", `${told}: ${place.getAttribute("aria-label")}`);
      made.addEventListener("click", act);
      tools.append(made);
    };
    // The small ones have no room for so many.
    if (moved(place).length && place.clientHeight >= 300) {
      button("+", "Closer", () => zoom(place, 0.5));
      button("−", "Farther", () => zoom(place, 2));
      button("whole", "The whole picture", () => draw(place));
    }
    for (const format of ["png", "svg"]) {
      button(format.toUpperCase(), `Save as ${format.toUpperCase()}`, async () => keep(place, await picture(place, format), format));
    }
    place.after(tools);
  };
  window.pictureOf = picture;

  // Which of the runs is shown, and the places that a link can name ---------------------------------------------------
  const shown = () => [...document.querySelectorAll(".chart")].filter((place) => place.offsetParent !== null);
  // A test waits for the last one.
  const drawShown = () => (window.drawn = Promise.all(shown().map(draw)));

  const buttons = [...document.querySelectorAll(".picker button")];
  const choose = (key) => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.panel === key));
      document.getElementById(button.dataset.panel).toggleAttribute("data-waiting", button.dataset.panel !== key);
    }
    list();
    drawShown();
  };
  for (const more of document.querySelectorAll("details.more")) more.addEventListener("toggle", drawShown);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      choose(button.dataset.panel);
      history.replaceState(null, "", "#" + button.dataset.panel);
    });
  }

  // The contents: what is shown, so that they follow the chosen run.
  const contents = document.getElementById("contents");
  const headed = [...document.querySelectorAll("main section[id]")].map((section) => [section.id, section.querySelector(":scope > :is(h2, h3)")]);
  const list = () => {
    const there = headed.filter(([, heading]) => heading && heading.offsetParent !== null);
    contents.hidden = there.length < 3;
    contents.querySelector("ul").replaceChildren(...there.map(([place, heading]) => {
      const item = document.createElement("li");
      item.append(Object.assign(document.createElement("a"), { href: "#" + place, textContent: heading.firstChild.textContent.trim() }));
      return item;
    }));
  };
  for (const [place, heading] of [...headed, ...[...document.querySelectorAll("main h2.run")].map((each) => [each.closest(".panel").id, each])]) {
    if (!heading) continue;
    const link = Object.assign(document.createElement("a"), { className: "here", href: "#" + place, textContent: "#" });
    link.setAttribute("aria-label", "Link to this place");
    heading.append(link);
  }
  contents.firstElementChild.open = !matchMedia(`(max-width: ${NARROW}px)`).matches;
  const follow = () => {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    const panel = place.closest(".panel"), folded = place.closest("details:not([open])");
    if (panel && panel.hasAttribute("data-waiting")) choose(panel.id);
    if (folded) folded.open = true;
    place.scrollIntoView();
  };
  addEventListener("hashchange", follow);

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawShown);
  matchMedia(`(max-width: ${NARROW}px)`).addEventListener("change", drawShown);
  // Paper has all that stands folded on the screen but the operators, which are a file beside the page. Figures are drawn
  // as wide as it is, side by side where two stand so: a wider one would have the browser shrink all that is printed.
  const opened = [];
  const fit = (printed) => {
    onPaper = printed;
    for (const place of shown().filter((each) => !each.classList.contains("drawing"))) place.style.width = printed ? `${place.closest(".two, .beside") ? BESIDE : PAPER}px` : "";
    drawShown();
  };
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.plain:not([open])")) {
      details.open = true;
      opened.push(details);
    }
    fit(true);
  });
  addEventListener("afterprint", () => {
    opened.splice(0).forEach((details) => (details.open = false));
    fit(false);
  });
  matchMedia("print").addEventListener("change", () => {
    drawShown();
    shown().forEach((place) => place.layout && Plotly.Plots.resize(place));
  });
  list();
  follow();
  drawShown();
})();
