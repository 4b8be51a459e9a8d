// Stepping through the faults: buttons, slider, keys and play; the detail, the grid and the table follow.

class Timeline {
  constructor(data) {
    this.faults = new Faults(data.timeline);
    this.cells = data.cells;
    this.marks = data.marks;
    this.resident = new Resident(this.faults, data.grid, data.cells);
    this.at = -1;
    this.timer = null;
    byId("timeline").hidden = false;
    this.slide = byId("slide");
    this.slide.max = this.faults.count;
    this.table = new FaultTable(byId("fault-rows"), this.faults, this.marks, (at) => this.step(at));
    this.grid = this.resident.areas.map((area) => {
      const node = el("div", { class: "grid-area" });
      byId("fault-grid").append(node);
      return node;
    });
    this.resident.areas.forEach((_, at) => this.drawArea(at));
    this.listen();
    this.go(0);
  }

  listen() {
    const last = this.faults.count - 1;
    byId("go-first").addEventListener("click", () => this.step(0));
    byId("go-back").addEventListener("click", () => this.step(this.at - 1));
    byId("go-on").addEventListener("click", () => this.step(this.at + 1));
    byId("go-last").addEventListener("click", () => this.step(last));
    byId("play").addEventListener("click", () => (this.timer ? this.stop() : this.play()));
    byId("speed").addEventListener("change", () => this.timer && this.play());
    this.slide.addEventListener("input", () => this.step(Number(this.slide.value) - 1));
    byId("timeline").addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("select")) return;
    const last = this.faults.count - 1;
    const inTable = event.target === byId("fault-rows");
    const to = {
      ArrowRight: this.at + 1,
      ArrowLeft: this.at - 1,
      ArrowDown: inTable ? this.at + 1 : undefined,
      ArrowUp: inTable ? this.at - 1 : undefined,
      PageDown: this.at + 10,
      PageUp: this.at - 10,
      Home: 0,
      End: last,
    }[event.key];
    if (to !== undefined) this.step(to);
    else if (event.key === "p") byId("play").click();
    else return;
    event.preventDefault();
  }

  step(at) {
    this.stop();
    this.go(at);
  }

  play() {
    this.stop();
    if (this.at === this.faults.count - 1) this.go(0);
    const button = byId("play");
    button.textContent = tr("Stop");
    button.setAttribute("aria-pressed", "true");
    this.timer = setInterval(() => {
      this.go(this.at + 1);
      if (this.at === this.faults.count - 1) this.stop();
    }, 1000 / Number(byId("speed").value));
  }

  stop() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    const button = byId("play");
    button.textContent = tr("Play");
    button.setAttribute("aria-pressed", "false");
    this.say();
  }

  go(wanted) {
    const at = Math.min(Math.max(wanted, 0), this.faults.count - 1);
    if (at === this.at) return;
    const before = this.at;
    this.at = at;
    const fault = this.faults.of(at);
    // First, for it asks where it is scrolled to: later the whole page would be laid out for the answer.
    this.table.show(at);
    const changed = this.resident.go(at + 1);
    for (const page of before < 0 ? [fault.page] : [fault.page, this.faults.columns.page[before]]) {
      changed.add(this.resident.areaAt(page));
    }
    changed.delete(-1);
    changed.forEach((number) => this.drawArea(number));
    showFault(byId("fault"), fault, this.faults, this.marks);
    this.slide.value = at + 1;
    this.slide.setAttribute("aria-valuetext", tr("fault {number} of {count}", { number: at + 1, count: this.faults.count }));
    byId("place").textContent = tr("{number} of {count}", { number: grouped(at + 1), count: grouped(this.faults.count) });
    // What plays says nothing: a reader of screens would only fall behind.
    if (!this.timer && before >= 0) this.say();
  }

  say() {
    const fault = this.faults.of(this.at);
    const what = { number: fault.number, sentence: sentenceOf(fault), kind: fault.kind?.name };
    byId("said").textContent = fault.kind
      ? tr("Fault {number}: {sentence} {kind}.", what)
      : tr("Fault {number}: {sentence}", what);
  }

  drawArea(number) {
    const area = this.resident.areas[number];
    const pages = this.resident.pages[number];
    const fault = this.at < 0 ? null : this.faults.of(this.at);
    const here = fault && fault.process === 0 && this.resident.areaAt(fault.page) === number;
    const focus = here
      ? { page: fault.page - area.first, start: fault.mapped.start - area.first, count: fault.kind && fault.kind.cell ? fault.mapped.count : 0 }
      : null;
    const words = tr("{count} of {pages}", { count: grouped(pages.resident), pages: counted(area.count, "page") });
    this.grid[number].replaceChildren(gridTitle(area, words), drawArea(area, pages, this.cells, focus));
    this.grid[number].classList.toggle("here", Boolean(here));
  }
}
