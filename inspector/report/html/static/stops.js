// One stop at a time: its parts of the page become panels of tabs, all of which change together.
// Without scripts, and in print, every stop is shown.

function makeTabs() {
  const groups = [...document.querySelectorAll(".stops")].filter((group) => group.children.length > 1);
  const choosers = groups.map((group, at) => tabsOf(group, `stops-${at}`));
  const choose = (number) => choosers.forEach((chooser) => chooser(number));
  groups.forEach((group) => group.addEventListener("choose", (event) => choose(event.detail)));
  choose(0);
}

function tabsOf(group, id) {
  const panels = [...group.children];
  const tabs = panels.map((panel, number) => {
    const title = panel.querySelector("h3");
    const tab = el("button", { type: "button", role: "tab", id: `${id}-tab-${number}` }, title.textContent);
    title.classList.add("print-only");
    fill(panel, { role: "tabpanel", id: `${id}-${number}`, "aria-labelledby": tab.id }, []);
    tab.setAttribute("aria-controls", panel.id);
    tab.addEventListener("click", () => ask(number));
    return tab;
  });
  const section = group.closest("section").querySelector("h2").textContent;
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": tr("{section}: where the program stopped", { section }) }, ...tabs);
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    const number = (next + tabs.length) % tabs.length;
    ask(number);
    tabs[number].focus();
  });
  group.before(list);

  function ask(number) {
    group.dispatchEvent(new CustomEvent("choose", { detail: number }));
  }

  return (number) => {
    tabs.forEach((tab, at) => fill(tab, { "aria-selected": at === number, tabindex: at === number ? 0 : -1 }, []));
    panels.forEach((panel, at) => (panel.hidden = at !== number));
  };
}
