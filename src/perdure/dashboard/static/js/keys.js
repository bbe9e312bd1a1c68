// Shortcuts. A page says what a key does by marks on its own elements, so that whatever has a key has a button, too:
//
//   data-go="j"         a link that `g j` follows
//   data-key="retry"    a button that `r` presses (the names are below)
//   data-rows           a list whose rows (data-row) `j` and `k` walk along; a row's link is a.row, its box is a checkbox
import { openDialog } from "./dialogs.js";

const NAMES = { "/": "search", r: "retry", c: "cancel", p: "pause", a: "all", n: "newest" };
const GO_FOR = 1500;
const isOn = document.documentElement.dataset.shortcuts !== "off";

let goUntil = 0;

const isTyping = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

const rows = () => [...document.querySelectorAll("[data-rows] [data-row]")];
const currentRow = () => document.querySelector("[data-rows] [data-row][aria-current]");

function moveTo(row) {
  currentRow()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.querySelector("a.row")?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function walk(step) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.indexOf(currentRow());
  moveTo(all[Math.min(Math.max(at === -1 ? 0 : at + step, 0), all.length - 1)]);
}

function press(name) {
  const all = [...document.querySelectorAll(`[data-key="${name}"]`)].filter((one) => one.checkVisibility?.() ?? true);
  const element = all.find((one) => one.matches("input")) ?? all[0];
  if (!element) return false;
  if (element.matches("input[type=search]")) {
    element.focus();
    element.select();
  } else if (!element.disabled) element.click();
  return true;
}

// What is done to the row under the cursor, where no row was selected.
function selectCurrent() {
  const box = currentRow()?.querySelector("input[type=checkbox]");
  const hasSelected = document.querySelector("[data-rows] input[type=checkbox]:checked");
  if (box && !hasSelected) box.click();
}

function handle(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
  if (isTyping(event.target) || openDialog()) return;
  const { key } = event;
  if (Date.now() < goUntil) {
    goUntil = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    if (link) {
      event.preventDefault();
      location.assign(link.href);
    }
    return;
  }
  if (key === "g") goUntil = Date.now() + GO_FOR;
  else if (key === "j" || key === "k") walk(key === "j" ? 1 : -1);
  else if (key === "x") currentRow()?.querySelector("input[type=checkbox]")?.click();
  else if (key === "?") document.getElementById("help")?.showModal(); // its button is away where the window is narrow
  else if (key in NAMES) {
    if (key === "r" || key === "c") selectCurrent();
    if (!press(NAMES[key])) return;
  } else return;
  event.preventDefault();
}

if (isOn) document.addEventListener("keydown", handle);

document.addEventListener("focusin", ({ target }) => {
  const row = target.closest?.("[data-rows] [data-row]");
  if (!row || row === currentRow()) return;
  currentRow()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
});
