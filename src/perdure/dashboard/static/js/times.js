// Keeps relative times true, by the server's clock, and shows the exact one in the reader's own time zone.
const EVERY = 5000;
const MINUTE = 60, HOUR = 3600, DAY = 86400;

const offset = Date.parse(document.documentElement.dataset.now) - Date.now();
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

// The same words as `formats.relative`.
function rough(seconds) {
  if (seconds < MINUTE) return `${Math.round(seconds)} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`;
  return `${Math.floor(seconds / DAY)} d`;
}

export function relative(at) {
  const seconds = (Date.now() + offset - at) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  return seconds > 0 ? `${rough(seconds)} ago` : `in ${rough(-seconds)}`;
}

function refresh() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const text = relative(Date.parse(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

document.addEventListener("pointerover", (event) => {
  const element = event.target.closest?.("time[datetime]");
  if (!element || element.dataset.exact) return;
  element.dataset.exact = "yes";
  element.title = `${exactly.format(new Date(element.dateTime))}\n${element.dateTime}`;
});

document.addEventListener("perdure:drawn", refresh);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), EVERY);
refresh();
