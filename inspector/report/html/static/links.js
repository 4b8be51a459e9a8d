// What shares addresses lights up together: sections, segments, areas, bars of the map, parts of the grids.

function makeLinks() {
  const words = byId("linked-words");
  let lit = [];
  let pinned = null;

  function light(source) {
    for (const node of lit) node.classList.remove("lit", "lit-source");
    lit = [];
    for (const button of document.querySelectorAll(".pin[aria-pressed=true]")) button.setAttribute("aria-pressed", "false");
    if (words) words.textContent = source && source.dataset.words ? source.dataset.words : "";
    if (!source) return;
    const low = Number(source.dataset.lo);
    const high = Math.max(Number(source.dataset.hi), low + 1);
    for (const node of document.querySelectorAll("[data-lo]")) {
      const start = Number(node.dataset.lo);
      const end = Math.max(Number(node.dataset.hi), start + 1);
      if (start < high && low < end) {
        node.classList.add("lit");
        lit.push(node);
      }
    }
    source.classList.add("lit-source");
    if (pinned) pinned.querySelector(".pin")?.setAttribute("aria-pressed", String(source === pinned));
  }

  const sourceOf = (event) => event.target.closest?.("[data-lo]") ?? null;
  document.addEventListener("pointerover", (event) => {
    const source = sourceOf(event);
    if (source || lit.length) light(source ?? pinned);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".pin")) light(sourceOf(event));
    else if (lit.length) light(pinned);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.matches(".pin")) return;
    const source = sourceOf(event);
    pinned = pinned === source ? null : source;
    light(source);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !(pinned || lit.length)) return;
    pinned = null;
    light(null);
  });
}
