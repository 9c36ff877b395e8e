// Builds the full operator tables when they are opened, and filters the assumptions by status.
(() => {
  "use strict";
  document.documentElement.classList.add("scripted");
  const columns = JSON.parse(document.getElementById("columns").textContent);
  const prefixes = { "-12": "p", "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P" };

  const scaled = (value, unit, whole) => {
    if (value === 0) return "0 " + unit;
    const size = Number(Math.abs(value).toExponential(2));
    const power = Math.max(whole ? 0 : -12, Math.min(15, 3 * Math.floor(Math.log10(size) / 3)));
    if (power === 0 && whole) return value + " " + unit;
    const number = value / 10 ** power;
    const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(Number(number.toPrecision(3))))));
    return number.toFixed(digits) + " " + prefixes[power] + (unit.length > 2 ? " " : "") + unit;
  };

  const worded = (value, unit) => {
    if (value === null || value === undefined) return "–";
    if (unit === "text") return value;
    if (unit === "fraction") return (100 * value).toFixed(1) + "%";
    if (unit === "count") return String(value);
    // A unit that the heading names is not said again in every cell.
    return scaled(value, unit === "cycles" || unit === "MACs" ? "" : unit, unit !== "J").trim();
  };

  const build = (details) => {
    const rows = JSON.parse(document.getElementById(details.dataset.rows).textContent);
    const filter = Object.assign(document.createElement("input"), {
      className: "filter", type: "search", placeholder: "Filter: module, stage, limit, mapping …",
    });
    filter.setAttribute("aria-label", "Filter operators");
    const box = Object.assign(document.createElement("div"), { className: "scroll tall" });
    const table = Object.assign(document.createElement("table"), { className: "operators" });
    const head = table.createTHead().insertRow();
    const body = table.createTBody();
    let order = columns.findIndex(([name]) => name === "cycles"), down = true, pressed = -1;

    const fill = () => {
      const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kept = rows.filter((row) => {
        const words = row.filter((_, i) => columns[i][1] === "text").join(" ").toLowerCase();
        return wanted.every((word) => words.includes(word));
      });
      kept.sort((a, b) => {
        const [x, y] = [a[order], b[order]];
        if (x === null || y === null) return (x === null) - (y === null);
        const sign = typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true });
        return down ? -sign : sign;
      });
      body.replaceChildren(...kept.map((row) => {
        const line = document.createElement("tr");
        row.forEach((value, i) => {
          const cell = line.insertCell();
          cell.textContent = worded(value, columns[i][1]);
          if (columns[i][1] !== "text") {
            cell.className = "figure";
            if (typeof value === "number") cell.title = String(value);
          }
        });
        return line;
      }));
      if (!kept.length) {
        const cell = body.insertRow().insertCell();
        cell.colSpan = columns.length;
        cell.textContent = `None of ${rows.length} operators has “${filter.value.trim()}”.`;
      }
      [...head.cells].forEach((cell, i) => {
        cell.setAttribute("aria-sort", i !== order ? "none" : down ? "descending" : "ascending");
      });
    };

    columns.forEach(([name, unit], i) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (unit !== "text") cell.className = "figure";
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.addEventListener("click", () => {
        // The first press sorts figures from the largest and words from A; the next turns them round.
        down = i === pressed ? !down : unit !== "text";
        order = pressed = i;
        fill();
      });
      cell.append(button);
      head.append(cell);
    });
    filter.addEventListener("input", fill);
    box.append(table);
    details.append(filter, box);
    fill();
  };

  for (const details of document.querySelectorAll("details.all")) {
    if (details.open) build(details);
    else details.addEventListener("toggle", () => build(details), { once: true });
  }

  const list = document.getElementById("assumption-list");
  const buttons = [...document.querySelectorAll("button.status")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const chosen = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) other.setAttribute("aria-pressed", String(chosen && other === button));
      list.open = true;
      for (const body of list.querySelectorAll("tbody")) {
        const rows = [...body.querySelectorAll("tr[data-status]")];
        for (const row of rows) row.hidden = chosen && row.dataset.status !== button.dataset.status;
        body.hidden = rows.every((row) => row.hidden);
      }
    });
  }
})();
