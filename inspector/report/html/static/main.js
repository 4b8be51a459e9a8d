// A page begins: without its data (the index) there is nothing to do.

if (holder) {
  const data = everything;
  document.documentElement.classList.add("scripted");
  drawStops(data);
  makeTabs();
  makeLinks();
  if (data.timeline) new Timeline(data);
  tuneRegions();
  new ResizeObserver(tuneRegions).observe(document.body);
  // On paper nothing can be opened: the machine is told in full. The other tables repeat what is drawn.
  const closed = [...document.querySelectorAll("#machine details:not([open])")];
  addEventListener("beforeprint", () => closed.forEach((each) => (each.open = true)));
  addEventListener("afterprint", () => closed.forEach((each) => (each.open = false)));
}
