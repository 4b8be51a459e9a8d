// Small tools: elements, numbers, and regions that scroll only where they must.
// Text reaches the page as text nodes alone: nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";
const PAGE = 4096;
const byId = (id) => document.getElementById(id);
const holder = byId("data");
const everything = holder ? JSON.parse(holder.textContent) : {};
const { words: translations = {}, nouns = {} } = everything;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

const hex = (number) => "0x" + number.toString(16);
const padded = (number) => number.toString(16).padStart(8, "0");
const grouped = (number) => number.toLocaleString("en");
const counted = (number, noun) =>
  nouns[noun] ? `${grouped(number)} ${nouns[noun]}` : `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
const slug = (words) => words.replaceAll(" ", "-");

// What is said stands here in English, and is translated whole; {names} are filled in, with text or elements.
const parts = (text, values = {}) =>
  (translations[text] ?? text).split(/\{(\w+)\}/).map((part, at) => (at % 2 ? values[part] : part));
const tr = (text, values) => parts(text, values).join("");

// A region that does not scroll is no stop for the keyboard.
function tuneRegions() {
  for (const region of document.querySelectorAll(".scroll")) {
    const scrolls = region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1;
    if (scrolls) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }
}
