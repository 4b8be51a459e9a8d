// One fault in full: the area found, the place in the file, the frame, the page tables, the rule.

function sentenceOf(fault) {
  const address = hex(fault.address);
  const what = [
    () => (fault.kernel ? tr("The kernel, at work for the program, touches {address}", { address }) : tr("The program touches {address}", { address })),
    () => (fault.kernel ? tr("The kernel, at work for the program, reads {address}", { address }) : tr("The program reads {address}", { address })),
    () => (fault.kernel ? tr("The kernel, at work for the program, writes to {address}", { address }) : tr("The program writes to {address}", { address })),
    () => (fault.kernel ? tr("The kernel, at work for the program, executes {address}", { address }) : tr("The program executes {address}", { address })),
  ][fault.access]();
  if (fault.ip === null) {
    if (!fault.presentKnown) return tr("{sentence}.", { sentence: what });
    return fault.present
      ? tr("{what}, on a page that is there and forbids it.", { what })
      : tr("{what}, on a page that is not there.", { what });
  }
  const ip = hex(fault.ip) + (fault.symbol ? ` (${fault.symbol})` : "");
  if (!fault.presentKnown) return tr("{what}, by the instruction at {ip}.", { what, ip });
  return fault.present
    ? tr("{what}, on a page that is there and forbids it, by the instruction at {ip}.", { what, ip })
    : tr("{what}, on a page that is not there, by the instruction at {ip}.", { what, ip });
}

const lastPart = (path) => path.slice(path.lastIndexOf("/") + 1);
const block = (title, ...children) => el("div", { class: "block" }, el("h4", {}, title), ...children);
const line = (...children) => el("p", {}, ...children);
const code = (text, attributes = {}) => el("code", attributes, text);

function areaBlock(fault, known) {
  if (!fault.area) return block(tr("Area found"), line(known ? tr("No area holds the address.") : tr("Observed faults do not tell.")));
  const { start, end, perms, name, offset, kind, isFile } = fault.area;
  const swatch = svg("svg", { class: "swatch", width: 10, height: 10, "aria-hidden": "true" });
  swatch.append(svg("rect", { class: `k-${slug(kind)}`, width: 10, height: 10, rx: 2 }));
  const where = `${padded(start)}-${padded(end)} ${perms}`;
  const what = isFile ? tr("{file}, from byte {offset} of the file on", { file: lastPart(name), offset: hex(offset) }) : name || tr("anonymous memory");
  return block(tr("Area found"), line(swatch, code(where)), line(what));
}

function placeBlock(fault) {
  if (!fault.area) return null;
  const { start, offset, isFile, name } = fault.area;
  if (!isFile) {
    if (fault.address < start) return null;
    const sum = `(${hex(fault.page * PAGE)} − ${hex(start)}) / 4096 = ${(fault.page * PAGE - start) / PAGE}`;
    return block(tr("Place in the area"), line(code(sum)), line(tr("The number of the page in its area; no file is behind it.")));
  }
  const byte = fault.address - start + offset;
  const first = Math.floor(byte / PAGE) * PAGE;
  return block(
    tr("Place in the file"),
    line(code(`${hex(fault.address)} − ${hex(start)} + ${hex(offset)} = ${hex(byte)}`)),
    line(
      ...parts("Address less the area’s start, plus its file offset: the page is bytes {bytes} of {file}.", {
        bytes: code(`${hex(first)}–${hex(first + PAGE)}`),
        file: lastPart(name),
      }),
    ),
  );
}

function frameBlock(fault, seenAt) {
  if (!fault.kind) return null;
  const { start, count } = fault.mapped;
  const lines = [line(tr("{sentence}.", { sentence: fault.kind.words }))];
  if (count > 1) {
    const range = code(`${hex(start * PAGE)}–${hex((start + count) * PAGE)}`);
    const pages = counted(count, "page");
    lines.push(line(...parts("With it come its neighbours, {pages} in all: {range}.", { pages, range })));
  }
  if (fault.frame !== null) {
    const frame = code(hex(fault.frame));
    lines.push(line(...parts("Frame {frame}, as observed at {checkpoint}.", { frame, checkpoint: seenAt })));
  }
  return block(tr("Frame"), ...lines);
}

// Which entries are written, from the top: one for each table that is new, and those of the pages themselves.
function entriesOf(fault, faults) {
  const way = faults.way(fault.page);
  const rows = [];
  for (let depth = 1; depth < way.length; depth++) {
    if (fault.newTables & (1 << depth)) {
      rows.push([`${way[depth - 1].name}[${way[depth - 1].index}]`, tr("points to a new table, the {level}s", { level: way[depth].name })]);
    }
  }
  const bits = [tr("present"), tr("user"), fault.entry & 2 ? tr("writable") : tr("read-only")];
  if (fault.entry & 4) bits.push(tr("no-execute"));
  const says = bits.join(tr(", "));
  const last = way.length - 1;
  const first = faults.way(fault.mapped.start)[last];
  const end = faults.way(fault.mapped.start + fault.mapped.count - 1)[last];
  const one = fault.mapped.count === 1;
  const range = one ? `${way[last].name}[${way[last].index}]` : `${first.name}[${first.index}] … ${first.name}[${end.index}]`;
  rows.push([range, one ? says : tr("{entry}; those that were there stay", { entry: says })]);
  return rows;
}

function tablesBlock(fault, faults) {
  if (!(fault.entry & 1)) return block(tr("Page tables"), line(tr("Nothing is written.")));
  const way = faults.way(fault.page);
  const steps = way.map((step, depth) => {
    const isNew = Boolean(fault.newTables & (1 << depth));
    const label = el("span", { class: "level" }, step.name, el("b", {}, String(step.index)));
    const note = el("small", {}, isNew ? tr("{count} bits, new table", { count: step.bits }) : tr("{count} bits", { count: step.bits }));
    return el("li", isNew ? { class: "new" } : {}, label, note);
  });
  const rows = entriesOf(fault, faults).map(([entry, says]) =>
    el("tr", {}, el("th", { scope: "row" }, entry), el("td", {}, says)),
  );
  const head = el("tr", {}, el("th", { scope: "col" }, tr("entry written")), el("th", { scope: "col" }, tr("it says")));
  return block(
    tr("Page tables"),
    el("ol", { class: "way" }, ...steps),
    el("table", { class: "entries" }, el("thead", {}, head), el("tbody", {}, ...rows)),
  );
}

function ruleBlock(fault, rules) {
  const rule = fault.kind && rules[fault.kind.rule];
  if (!rule) return null;
  return block(
    tr("Rule"),
    line(code(fault.kind.rule), " ", rule.statement),
    line(rule.reason),
    line(...parts("Source: {source}", { source: code(rule.source) })),
  );
}

function fateBlock(fault) {
  if (!fault.finding) return null;
  return block(
    tr("Predicted and observed"),
    line(...parts("Predicted: {fault}", { fault: code(fault.finding.predicted) })),
    line(...parts("Observed: {fault}", { fault: code(fault.finding.observed) })),
    fault.finding.rule && fault.finding.rule !== fault.kind?.rule
      ? line(...parts("Explained by {rule}.", { rule: code(fault.finding.rule) }))
      : null,
  );
}

function fateOf(fault, marks) {
  if (!fault.mark) return null;
  const [sign, words] = marks[fault.mark].split(": ");
  return el("span", { class: `fate mark drawn ${sign}` }, words);
}

function showFault(place, fault, faults, marks) {
  const number = grouped(fault.number);
  const title =
    faults.data.processes > 1
      ? tr("Fault {number}, process {process}", { number, process: fault.process })
      : tr("Fault {number}", { number });
  place.replaceChildren(
    el("h3", {}, title, fault.kind ? el("span", { class: "kind-name" }, fault.kind.name) : null, fateOf(fault, marks)),
    el("p", { class: "sentence" }, sentenceOf(fault)),
    el(
      "div",
      { class: "blocks" },
      ...[
        fateBlock(fault),
        areaBlock(fault, faults.data.predicted),
        placeBlock(fault),
        frameBlock(fault, faults.data.frameSeenAt),
        tablesBlock(fault, faults),
        ruleBlock(fault, faults.data.rules),
      ].filter((part) => part !== null),
    ),
  );
}
