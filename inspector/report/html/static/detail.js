// One fault in full: the area found, the place in the file, the frame, the page tables, the rule.

function sentenceOf(fault) {
  const who = fault.kernel ? "The kernel, at work for the program," : "The program";
  const does = `${ACCESS_WORDS[fault.access]} ${hex(fault.address)}`;
  const there = !fault.presentKnown ? "" : fault.present ? ", on a page that is there and forbids it" : ", on a page that is not there";
  const by = fault.ip === null ? "" : `, by the instruction at ${hex(fault.ip)}${fault.symbol ? ` (${fault.symbol})` : ""}`;
  return `${who} ${does}${there}${by}.`;
}

const lastPart = (path) => path.slice(path.lastIndexOf("/") + 1);
const block = (title, ...children) => el("div", { class: "block" }, el("h4", {}, title), ...children);
const line = (...children) => el("p", {}, ...children);
const code = (text, attributes = {}) => el("code", attributes, text);

function areaBlock(fault, known) {
  if (!fault.area) return block("Area found", line(known ? "No area holds the address." : "Observed faults do not tell."));
  const { start, end, perms, name, offset, kind, isFile } = fault.area;
  const swatch = svg("svg", { class: "swatch", width: 10, height: 10, "aria-hidden": "true" });
  swatch.append(svg("rect", { class: `k-${slug(kind)}`, width: 10, height: 10, rx: 2 }));
  const where = `${padded(start)}-${padded(end)} ${perms}`;
  const what = isFile ? `${lastPart(name)}, from byte ${hex(offset)} of the file on` : name || "anonymous memory";
  return block("Area found", line(swatch, code(where)), line(what));
}

function placeBlock(fault) {
  if (!fault.area) return null;
  const { start, offset, isFile, name } = fault.area;
  if (!isFile) {
    if (fault.address < start) return null;
    const sum = `(${hex(fault.page * PAGE)} − ${hex(start)}) / 4096 = ${(fault.page * PAGE - start) / PAGE}`;
    return block("Place in the area", line(code(sum)), line("The number of the page in its area; no file is behind it."));
  }
  const byte = fault.address - start + offset;
  const first = Math.floor(byte / PAGE) * PAGE;
  return block(
    "Place in the file",
    line(code(`${hex(fault.address)} − ${hex(start)} + ${hex(offset)} = ${hex(byte)}`)),
    line("Address less the area’s start, plus its file offset: the page is bytes ", code(`${hex(first)}–${hex(first + PAGE)}`), ` of ${lastPart(name)}.`),
  );
}

function frameBlock(fault, seenAt) {
  if (!fault.kind) return null;
  const { start, count } = fault.mapped;
  const parts = [line(`${fault.kind.words}.`)];
  if (count > 1) {
    const range = `${hex(start * PAGE)}–${hex((start + count) * PAGE)}`;
    parts.push(line(`With it come its neighbours, ${counted(count, "page")} in all: `, code(range), "."));
  }
  if (fault.frame !== null) parts.push(line("Frame ", code(hex(fault.frame)), `, as observed at ${seenAt}.`));
  return block("Frame", ...parts);
}

// Which entries are written, from the top: one for each table that is new, and those of the pages themselves.
function entriesOf(fault, faults) {
  const way = faults.way(fault.page);
  const rows = [];
  for (let depth = 1; depth < way.length; depth++) {
    if (fault.newTables & (1 << depth)) {
      rows.push([`${way[depth - 1].name}[${way[depth - 1].index}]`, `points to a new table, the ${way[depth].name}s`]);
    }
  }
  const words = ["present", "user", fault.entry & 2 ? "writable" : "read-only"];
  if (fault.entry & 4) words.push("no-execute");
  const last = way.length - 1;
  const first = faults.way(fault.mapped.start)[last];
  const end = faults.way(fault.mapped.start + fault.mapped.count - 1)[last];
  const one = fault.mapped.count === 1;
  const range = one ? `${way[last].name}[${way[last].index}]` : `${first.name}[${first.index}] … ${first.name}[${end.index}]`;
  rows.push([range, one ? words.join(", ") : `${words.join(", ")}; those that were there stay`]);
  return rows;
}

function tablesBlock(fault, faults) {
  if (!(fault.entry & 1)) return block("Page tables", line("Nothing is written."));
  const way = faults.way(fault.page);
  const steps = way.map((step, depth) => {
    const isNew = Boolean(fault.newTables & (1 << depth));
    const label = el("span", { class: "level" }, step.name, el("b", {}, String(step.index)));
    const note = el("small", {}, `${step.bits} bits${isNew ? ", new table" : ""}`);
    return el("li", isNew ? { class: "new" } : {}, label, note);
  });
  const rows = entriesOf(fault, faults).map(([entry, says]) =>
    el("tr", {}, el("th", { scope: "row" }, entry), el("td", {}, says)),
  );
  const head = el("tr", {}, el("th", { scope: "col" }, "entry written"), el("th", { scope: "col" }, "it says"));
  return block(
    "Page tables",
    el("ol", { class: "way" }, ...steps),
    el("table", { class: "entries" }, el("thead", {}, head), el("tbody", {}, ...rows)),
  );
}

function ruleBlock(fault, rules) {
  const rule = fault.kind && rules[fault.kind.rule];
  if (!rule) return null;
  return block(
    "Rule",
    line(code(fault.kind.rule), " ", rule.statement),
    line(rule.reason),
    line("Source: ", code(rule.source)),
  );
}

function fateBlock(fault) {
  if (!fault.finding) return null;
  return block(
    "Predicted and observed",
    line("Predicted: ", code(fault.finding.predicted)),
    line("Observed: ", code(fault.finding.observed)),
    fault.finding.rule && fault.finding.rule !== fault.kind?.rule ? line("Explained by ", code(fault.finding.rule), ".") : null,
  );
}

function fateOf(fault, marks) {
  if (!fault.mark) return null;
  const [sign, words] = marks[fault.mark].split(": ");
  return el("span", { class: `fate mark drawn ${sign}` }, words);
}

function showFault(place, fault, faults, marks) {
  const of = faults.data.processes > 1 ? `, process ${fault.process}` : "";
  place.replaceChildren(
    el("h3", {}, `Fault ${grouped(fault.number)}${of}`, fault.kind ? el("span", { class: "kind-name" }, fault.kind.name) : null, fateOf(fault, marks)),
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
