// Says of a chart what it shows under the pointer: the numbers stand in the page already, in the chart's own table.
function made(name) {
  const element = document.createElement("div");
  element.className = name;
  element.hidden = true;
  element.setAttribute("aria-hidden", "true");
  document.body.append(element);
  return element;
}

const cursor = made("chart-cursor");
const tip = made("chart-tip");

function hide() {
  cursor.hidden = tip.hidden = true;
}

document.addEventListener("pointermove", ({ target, clientX }) => {
  const chart = target.closest?.(".chart");
  const drawing = chart?.querySelector("svg");
  const rows = chart?.querySelectorAll("tbody tr");
  if (!drawing || !rows?.length) return cursor.hidden || hide();
  const { left, top, width, height } = drawing.getBoundingClientRect();
  const at = Math.min(Math.max(Math.floor(((clientX - left) / width) * rows.length), 0), rows.length - 1);
  const names = [...chart.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  const texts = [...rows[at].cells].map((cell) => cell.textContent.trim());
  tip.textContent = texts.map((text, index) => (index === 0 ? text : `${names[index]} ${text}`)).join("  ·  ");
  cursor.hidden = tip.hidden = false;
  const x = left + ((at + 0.5) / rows.length) * width;
  Object.assign(cursor.style, { left: `${x}px`, top: `${top}px`, height: `${height}px` });
  const isRight = x + tip.offsetWidth + 16 > innerWidth;
  Object.assign(tip.style, { left: `${isRight ? x - tip.offsetWidth - 8 : x + 8}px`, top: `${top - 6}px` });
});
addEventListener("scroll", hide, { passive: true, capture: true });
