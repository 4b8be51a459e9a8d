// A page grid: 32 pages a row, rows kept only where a page is resident, rows that are alike folded.

const ROW = 32;
const MOST_ROWS = 48;
const ALIKE = (rows) => tr("{rows} alike", { rows });
const NOT_SHOWN = (rows) => tr("{rows} not shown", { rows });

class PageRows {
  constructor(count) {
    this.count = count;
    this.resident = 0;
    this.rows = new Map(); // number of the row -> its cells, one byte a page
    this.order = []; // the numbers of the rows that are there, ascending
  }

  // Sets a page's cell and returns what it was.
  set(page, cell) {
    const number = Math.floor(page / ROW);
    let row = this.rows.get(number);
    if (!row) {
      row = new Uint8Array(ROW);
      this.rows.set(number, row);
      this.order.splice(this.place(number), 0, number);
    }
    const before = row[page % ROW];
    row[page % ROW] = cell;
    this.resident += (cell !== 0) - (before !== 0);
    return before;
  }

  get(page) {
    const row = this.rows.get(Math.floor(page / ROW));
    return row ? row[page % ROW] : 0;
  }

  place(number) {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.order[middle] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Stretches of rows that are alike: { first, rows, cells }; cells is null where no page is resident.
  stretches() {
    const found = [];
    let next = 0;
    const last = Math.ceil(this.count / ROW);
    for (const number of this.order) {
      if (number > next) found.push({ first: next, rows: number - next, cells: null });
      const cells = this.rows.get(number);
      const before = found[found.length - 1];
      if (before && before.cells && before.first + before.rows === number && alike(before.cells, cells)) {
        before.rows++;
      } else {
        found.push({ first: number, rows: 1, cells });
      }
      next = number + 1;
    }
    if (next < last) found.push({ first: next, rows: last - next, cells: null });
    return found;
  }
}

function alike(one, other) {
  for (let at = 0; at < ROW; at++) if (one[at] !== other[at]) return false;
  return true;
}

function rowsOfRuns(area) {
  const pages = new PageRows(area.count);
  for (let at = 0, page = 0; at < area.runs.length; page += area.runs[at + 1], at += 2) {
    if (area.runs[at] === 0) continue;
    for (let number = 0; number < area.runs[at + 1]; number++) pages.set(page + number, area.runs[at]);
  }
  return pages;
}

// Draws the pages of an area. `focus` is a page to show whatever is folded, with `fresh` pages from `start` on.
function drawArea(area, pages, cellNames, focus = null) {
  const rows = el("div", { class: "grid-rows", "aria-hidden": "true" });
  const shown = folded(pages.stretches(), focus === null ? null : Math.floor(focus.page / ROW));
  for (const part of shown) rows.append(part.fold ? foldLine(area, part) : drawRow(area, part, cellNames, focus));
  return rows;
}

function folded(stretches, focusRow) {
  const lines = [];
  for (const { first, rows, cells } of stretches) {
    const shown = rows <= 4 ? rows : 1;
    const inside = focusRow !== null && focusRow >= first + shown && focusRow < first + rows;
    for (let row = 0; row < shown; row++) lines.push({ row: first + row, cells });
    if (rows === shown) continue;
    if (!inside) {
      lines.push({ fold: rows - shown, row: first + shown, what: ALIKE });
    } else {
      if (focusRow > first + shown) lines.push({ fold: focusRow - first - shown, row: first + shown, what: ALIKE });
      lines.push({ row: focusRow, cells });
      if (focusRow + 1 < first + rows) lines.push({ fold: first + rows - focusRow - 1, row: focusRow + 1, what: ALIKE });
    }
  }
  return lines.length <= MOST_ROWS ? lines : around(lines, focusRow);
}

// Of too many lines, the first, those around the focus and the last.
function around(lines, focusRow) {
  const middle = focusRow === null ? -1 : lines.findIndex((line) => !line.fold && line.row === focusRow);
  const third = MOST_ROWS / 3;
  const kept = lines.filter(
    (_, at) => at < third || at >= lines.length - third || Math.abs(at - middle) <= third / 2,
  );
  const result = [];
  let next = 0;
  for (const line of kept) {
    if (line.row > next) result.push({ fold: line.row - next, row: next, what: NOT_SHOWN });
    result.push(line);
    next = line.row + (line.fold || 1);
  }
  return result;
}

function foldLine(area, { fold, row, what }) {
  const from = (area.first + row * ROW) * PAGE;
  return el("div", { class: "grid-fold" }, `${padded(from)}  … ${what(counted(fold, "row"))}`);
}

function drawRow(area, { row, cells }, cellNames, focus) {
  const start = row * ROW;
  const width = Math.min(ROW, area.count - start);
  const paths = new Map();
  let fresh = "";
  for (let at = 0; at < width; at++) {
    const cell = cells ? cells[at] : 0;
    const square = `M${at * 10 + 1} 1h8v8h-8z`;
    paths.set(cell, (paths.get(cell) || "") + square);
    const page = start + at;
    if (focus && page >= focus.start && page < focus.start + focus.count) fresh += square;
  }
  const drawing = svg("svg", { viewBox: `0 0 ${ROW * 10} 10`, class: "grid-cells" });
  for (const [cell, path] of paths) drawing.append(svg("path", { class: `c-${slug(cellNames[cell])}`, d: path }));
  if (fresh) drawing.append(svg("path", { class: "c-fresh", d: fresh }));
  if (focus && focus.page >= start && focus.page < start + width) {
    const left = (focus.page - start) * 10;
    drawing.append(svg("rect", { class: "c-now", x: left + 0.6, y: 0.6, width: 8.8, height: 8.8 }));
  }
  const address = el("span", { class: "grid-address" }, padded((area.first + start) * PAGE));
  return el("div", { class: "grid-row" }, address, drawing);
}

function gridTitle(area, words) {
  const swatch = svg("svg", { class: "swatch", width: 10, height: 10, "aria-hidden": "true" });
  swatch.append(svg("rect", { class: `k-${slug(area.kind || "none")}`, width: 10, height: 10, rx: 2 }));
  const counts = el("span", { class: "counts" }, words);
  return el("p", { class: "grid-title" }, swatch, el("span", { class: "grid-label" }, area.label), " ", counts);
}

function drawStops(data) {
  for (const place of document.querySelectorAll("[data-grid]")) {
    for (const area of data.stops[Number(place.dataset.grid)].areas) {
      const rows = drawArea(area, rowsOfRuns(area), data.cells);
      const range = { "data-lo": area.first * PAGE, "data-hi": (area.first + area.count) * PAGE };
      place.append(el("div", { class: "grid-area", ...range }, gridTitle(area, area.words), rows));
    }
  }
}
