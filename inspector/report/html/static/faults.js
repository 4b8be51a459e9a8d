// The faults: what is known of one, and the pages that all up to it have made resident.

const ACCESS_NAMES = ["", tr("read"), tr("write"), tr("execute")];

class Faults {
  constructor(data) {
    this.data = data;
    this.count = data.count;
    this.columns = decodeColumns(data.columns);
    this.areas = decodeColumns(data.areas.columns);
  }

  of(at) {
    const { columns, data } = this;
    const kind = columns.kind[at] ? data.kinds[columns.kind[at] - 1] : null;
    const page = columns.page[at];
    return {
      number: at + 1,
      process: columns.process[at],
      kernel: columns.kernel[at] === 1,
      access: columns.access[at],
      present: columns.present[at] === 1,
      presentKnown: columns.present[at] !== 2,
      kind,
      area: columns.area[at] ? this.area(columns.area[at] - 1) : null,
      page,
      address: page * PAGE + columns.offset[at],
      ip: columns.ipPage[at] ? (columns.ipPage[at] - 1) * PAGE + columns.ipOffset[at] : null,
      symbol: columns.symbol[at] ? data.symbols[columns.symbol[at] - 1] : null,
      mapped: { start: page - columns.before[at], count: columns.count[at] },
      entry: columns.entry[at],
      newTables: columns.tables[at],
      frame: columns.frame[at] || null,
      mark: columns.mark[at],
      finding: data.findings[at] ?? null,
    };
  }

  area(at) {
    const { areas, data } = this;
    return {
      start: areas.start[at] * PAGE,
      end: areas.end[at] * PAGE,
      perms: data.areas.perms[areas.perms[at]],
      name: data.areas.names[areas.name[at]],
      isFile: areas.file[at] === 1,
      offset: areas.offset[at] * PAGE,
      kind: data.areas.kinds[areas.kind[at]],
    };
  }

  // The index into each level's table on the way to a page, from the top.
  way(page) {
    const { names, bits } = this.data.geometry;
    const indices = [];
    let left = page;
    for (let depth = bits.length - 1; depth >= 0; depth--) {
      const size = 2 ** bits[depth];
      indices.unshift(left % size);
      left = Math.floor(left / size);
    }
    return names.map((name, depth) => ({ name, index: indices[depth], bits: bits[depth] }));
  }
}

// The pages of process 0 after some number of faults; a step applies one, or takes it back.
class Resident {
  constructor(faults, grid, cellNames) {
    this.faults = faults;
    this.areas = grid.areas;
    this.pages = grid.areas.map((area) => new PageRows(area.count));
    this.cells = faults.data.kinds.map((kind) => (kind.cell === null ? 0 : cellNames.indexOf(kind.cell)));
    this.done = 0;
    this.undo = [];
    for (let at = 0; at < grid.resident.length; at += 2) this.set(grid.resident[at], grid.resident[at + 1]);
  }

  areaAt(page) {
    let low = 0;
    let high = this.areas.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.areas[middle].first + this.areas[middle].count <= page) low = middle + 1;
      else high = middle;
    }
    return low < this.areas.length && this.areas[low].first <= page ? low : -1;
  }

  set(page, cell) {
    const at = this.areaAt(page);
    return at < 0 ? 0 : this.pages[at].set(page - this.areas[at].first, cell);
  }

  get(page) {
    const at = this.areaAt(page);
    return at < 0 ? 0 : this.pages[at].get(page - this.areas[at].first);
  }

  // Goes to where `count` faults have been answered; returns the numbers of the areas that changed.
  go(count) {
    const changed = new Set();
    while (this.done < count) this.apply(this.done++, changed);
    while (this.done > count) {
      this.done--;
      for (const [page, cell] of this.undo.pop().reverse()) {
        this.set(page, cell);
        changed.add(this.areaAt(page));
      }
    }
    changed.delete(-1);
    return changed;
  }

  apply(at, changed) {
    const { process, kind, page, before, count } = this.faults.columns;
    const undone = [];
    this.undo.push(undone);
    const cell = kind[at] ? this.cells[kind[at] - 1] : 0;
    if (process[at] !== 0 || cell === 0) return;
    const start = page[at] - before[at];
    for (let each = start; each < start + count[at]; each++) {
      // A page around the one that was touched may have been there before.
      if (each !== page[at] && this.get(each) !== 0) continue;
      undone.push([each, this.set(each, cell)]);
      changed.add(this.areaAt(each));
    }
  }
}
