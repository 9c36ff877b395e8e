// Parallel coordinates: a line a design over axes; dragging along an axis keeps the designs that pass there.
const drawParallel = (place, { dimensions, strong }, colour) => {
  const make = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const width = Math.max(place.clientWidth, 320), height = 430, top = 44, bottom = height - 14;
  const letters = (words) => 6.2 * Math.max(...words.map((each) => each.length));
  const left = letters([dimensions[0].label]) / 2 + 10;
  const last = dimensions[dimensions.length - 1];
  const right = width - Math.max(letters([last.label]) / 2, letters(last.ticktext) + 8) - 10;
  const across = dimensions.map((_, i) => (dimensions.length < 2 ? (left + right) / 2 : left + (i * (right - left)) / (dimensions.length - 1)));
  const upwards = ({ range: [low, high] }, value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  const svg = make("svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, "font-family": getComputedStyle(document.body).fontFamily, "font-size": 11, fill: colour("ink"),
  });
  const count = dimensions[0].values.length;
  const lines = [...Array(count).keys()].map((row) => {
    const front = row >= count - strong;
    const points = dimensions.map((each, i) => `${across[i].toFixed(1)} ${upwards(each, each.values[row]).toFixed(1)}`);
    const line = make("path", {
      d: "M" + points.join("L"), fill: "none", stroke: colour(front ? "sparse" : "faint"), "stroke-width": front ? 1.6 : 0.8, "stroke-opacity": front ? 0.9 : 0.6,
    });
    svg.append(line);
    return line;
  });
  const kept = (place.kept ??= dimensions.map(() => null));
  const marks = [];
  const filter = () => {
    lines.forEach((line, row) => {
      const inside = kept.every((range, i) => !range || (dimensions[i].values[row] >= range[0] && dimensions[i].values[row] <= range[1]));
      line.style.display = inside ? "" : "none";
    });
    marks.forEach((mark, i) => {
      mark.setAttribute("visibility", kept[i] ? "visible" : "hidden");
      if (!kept[i]) return;
      mark.setAttribute("y", upwards(dimensions[i], kept[i][1]));
      mark.setAttribute("height", Math.max(2, upwards(dimensions[i], kept[i][0]) - upwards(dimensions[i], kept[i][1])));
    });
    place.dataset.kept = lines.filter((line) => !line.style.display).length;
  };
  dimensions.forEach((each, i) => {
    const x = across[i];
    svg.append(make("line", { x1: x, x2: x, y1: top, y2: bottom, stroke: colour("quiet") }));
    svg.append(make("text", { x, y: 18, "text-anchor": "middle", "font-weight": 600, "font-size": 12 }, each.label));
    each.tickvals.forEach((value, at) => {
      const y = upwards(each, value);
      svg.append(make("line", { x1: x, x2: x + 4, y1: y, y2: y, stroke: colour("quiet") }));
      // A halo of paper: the words lie over the lines.
      svg.append(make("text", {
        x: x + 6, y: y + 4, stroke: colour("paper"), "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke",
      }, each.ticktext[at]));
    });
    marks.push(make("rect", { x: x - 6, width: 12, fill: colour("loss"), "fill-opacity": 0.35, stroke: colour("loss"), visibility: "hidden" }));
    const grip = make("rect", { x: x - 14, y: top - 8, width: 28, height: bottom - top + 16, fill: "transparent", cursor: "ns-resize" });
    const value = (event) => {
      const box = svg.getBoundingClientRect();
      const y = ((event.clientY - box.top) * height) / box.height;
      return each.range[0] + ((bottom - Math.min(Math.max(y, top), bottom)) / (bottom - top)) * (each.range[1] - each.range[0]);
    };
    let from = null;
    grip.addEventListener("pointerdown", (event) => {
      from = value(event);
      kept[i] = null;
      grip.setPointerCapture(event.pointerId);
      filter();
    });
    grip.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const now = value(event);
      kept[i] = Math.abs(now - from) > 0.01 * (each.range[1] - each.range[0]) ? [Math.min(from, now), Math.max(from, now)] : null;
      filter();
    });
    for (const end of ["pointerup", "pointercancel"]) grip.addEventListener(end, () => (from = null));
    svg.append(marks[i], grip);
  });
  place.replaceChildren(svg);
  filter();
};
