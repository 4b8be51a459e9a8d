// The table of all faults. Of many, only the rows in sight are in the page; two empty rows keep the place of the rest.

const ROW_HEIGHT = 28;
const SHORT = 150;

class FaultTable {
  constructor(place, faults, marks, onChoose) {
    this.place = place;
    this.faults = faults;
    this.marks = marks;
    this.current = -1;
    this.isWhole = faults.count <= SHORT;
    const left = (title) => el("th", { scope: "col" }, title);
    const right = (title) => el("th", { scope: "col", class: "right" }, title);
    const head = [
      left(el("span", { class: "unseen" }, tr("verdict"))),
      right("#"),
      ...(faults.data.processes > 1 ? [right(tr("process"))] : []),
      ...[tr("mode"), tr("access"), tr("page"), tr("by"), tr("area"), tr("kind")].map(left),
      right(tr("pages")),
    ];
    this.width = head.length;
    this.body = el("tbody", {});
    const table = el("table", { "aria-rowcount": faults.count + 1 }, el("caption", { class: "unseen" }, tr("All page faults")), el("thead", {}, el("tr", { "aria-rowindex": 1 }, ...head)), this.body);
    place.append(table);
    place.classList.toggle("whole", this.isWhole);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-at]");
      if (row) onChoose(Number(row.dataset.at));
    });
    place.addEventListener("scroll", () => this.ask(), { passive: true });
    this.draw();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  draw() {
    const { count } = this.faults;
    let first = 0;
    let after = count;
    if (!this.isWhole) {
      first = Math.max(Math.floor(this.place.scrollTop / ROW_HEIGHT) - 8, 0);
      after = Math.min(first + Math.ceil((this.place.clientHeight || 400) / ROW_HEIGHT) + 16, count);
    }
    if (first === this.first && after === this.after) return;
    this.first = first;
    this.after = after;
    const rows = [];
    if (first > 0) rows.push(this.spacer(first));
    for (let at = first; at < after; at++) rows.push(this.row(at));
    if (after < count) rows.push(this.spacer(count - after));
    this.body.replaceChildren(...rows);
  }

  spacer(rows) {
    const row = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", { colspan: this.width }));
    row.style.height = `${rows * ROW_HEIGHT}px`;
    return row;
  }

  row(at) {
    const fault = this.faults.of(at);
    const area = fault.area ? `${fault.area.perms.slice(0, 3)} ${lastPart(fault.area.name) || tr("anonymous")}` : "";
    const [sign, words] = fault.mark ? this.marks[fault.mark].split(": ") : ["", ""];
    const cells = [
      el("td", { class: "sign" }, fault.mark ? el("span", { class: `mark drawn ${sign}`, title: words }, el("span", { class: "unseen" }, words)) : ""),
      el("th", { scope: "row", class: "right" }, String(at + 1)),
      ...(this.faults.data.processes > 1 ? [el("td", { class: "right" }, String(fault.process))] : []),
      el("td", {}, fault.kernel ? tr("kernel") : tr("user")),
      el("td", {}, ACCESS_NAMES[fault.access] + (fault.present && fault.presentKnown ? "!" : "")),
      el("td", {}, padded(fault.page * PAGE)),
      el("td", { class: "by" }, fault.ip === null ? "" : fault.symbol || padded(fault.ip)),
      el("td", { class: "where" }, area),
      el("td", {}, fault.kind ? fault.kind.name : ""),
      el("td", { class: "right" }, fault.kind && fault.kind.cell !== null ? String(fault.mapped.count) : ""),
    ];
    const row = el("tr", { "data-at": at, "aria-rowindex": at + 2 }, ...cells);
    if (at === this.current) row.setAttribute("aria-current", "step");
    return row;
  }

  show(at) {
    this.body.querySelector("[aria-current]")?.removeAttribute("aria-current");
    this.current = at;
    // The head stays in sight above the rows.
    const top = at * ROW_HEIGHT;
    const room = this.place.clientHeight - 2 * ROW_HEIGHT;
    if (top < this.place.scrollTop) this.place.scrollTop = top;
    else if (top > this.place.scrollTop + room) this.place.scrollTop = top - room;
    this.draw();
    this.body.querySelector(`[data-at="${at}"]`)?.setAttribute("aria-current", "step");
  }
}
