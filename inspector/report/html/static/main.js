// A page begins: without its data (the index) there is nothing to do.

const holder = byId("data");
if (holder) {
  const data = JSON.parse(holder.textContent);
  document.documentElement.classList.add("scripted");
  drawStops(data);
  makeTabs();
  makeLinks();
  if (data.timeline) new Timeline(data);
  tuneRegions();
  new ResizeObserver(tuneRegions).observe(document.body);
}
