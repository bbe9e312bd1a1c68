// Keeps a page true while somebody looks at it. One EventSource a tab, closed while the tab is hidden; whatever comes is
// gathered, and told to the page four times a second at most.
//
//   <main data-live="/changes">             listens, and tells the page: event `perdure:changes`, {jobs, count, isWhole}
//   <section id="…" data-live-region>       is drawn anew from the same address once something changed,
//   <main data-live-every="5">              every so many seconds at most (default 2), and without any change, too, where
//   <main data-live-poll>                   not all that it shows is told by the stream
import { morph } from "./morph.js";

const GATHERED_MS = 250;
const EVERY_SECONDS = 2;
const MAX_JOBS = 500;

class Live {
  constructor(main) {
    this.main = main;
    this.source = null;
    this.position = null;
    this.jobs = new Map();
    this.count = 0;
    this.isWhole = true;
    this.timer = null;
    this.isPaused = false;
    this.isStale = false;
    this.isDrawing = false;
    this.drawnAt = Date.now();
    this.every = 1000 * Number(main.dataset.liveEvery ?? EVERY_SECONDS);
    this.hasRegions = document.querySelector("[data-live-region]") !== null;
    document.addEventListener("visibilitychange", () => this.follow());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.follow());
    document.addEventListener("perdure:pause", (event) => this.pause(event.detail));
    if (this.hasRegions) setInterval(() => this.draw(), 500);
    this.follow();
  }

  // While the tab is seen there is a connection, and while it is not there is none.
  follow() {
    if (document.hidden || this.isPaused) this.close();
    else if (!this.source) this.open();
  }

  open() {
    const address = new URL(this.main.dataset.live, location);
    this.source = new EventSource(address);
    this.source.onopen = () => this.say("on");
    this.source.onerror = () => this.failed();
    this.source.onmessage = ({ data }) => this.gather(JSON.parse(data));
    this.source.addEventListener("reset", () => this.reset());
    if (this.wasOpen) this.reset(); // what happened meanwhile is not known
    this.wasOpen = true;
  }

  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
    this.timer = null;
    this.say(this.isPaused ? "paused" : "off");
  }

  // The browser connects again by itself, unless the server refused: then somebody has to sign in anew.
  failed() {
    this.say("off");
    if (this.source?.readyState !== EventSource.CLOSED) return;
    this.source = null;
    setTimeout(() => this.follow(), 5000);
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    this.follow();
  }

  gather({ jobs, count, is_whole: isWhole }) {
    for (const job of jobs) {
      this.jobs.delete(job.job_id);
      this.jobs.set(job.job_id, job);
    }
    this.count += count;
    this.isWhole &&= isWhole;
    while (this.jobs.size > MAX_JOBS) {
      this.jobs.delete(this.jobs.keys().next().value);
      this.isWhole = false;
    }
    this.timer ??= setTimeout(() => this.tell(), GATHERED_MS);
  }

  reset() {
    this.isWhole = false;
    this.timer ??= setTimeout(() => this.tell(), GATHERED_MS);
  }

  tell() {
    this.timer = null;
    const detail = { jobs: [...this.jobs.values()], count: this.count, isWhole: this.isWhole };
    this.jobs.clear();
    this.count = 0;
    this.isWhole = true;
    this.isStale = true;
    document.dispatchEvent(new CustomEvent("perdure:changes", { detail }));
  }

  // Draws the regions anew from the same address. One request at a time, and none while somebody chooses or writes there.
  async draw() {
    const isDue = this.isStale || "livePoll" in this.main.dataset;
    if (!isDue || this.isDrawing || document.hidden || this.isPaused || Date.now() - this.drawnAt < this.every) return;
    if (document.querySelector("dialog[open]")) return;
    this.isDrawing = true;
    this.isStale = false;
    try {
      const answer = await fetch(location.href, { headers: { "X-Perdure-Live": "1" }, redirect: "error" });
      if (answer.ok) drawRegions(await answer.text());
    } catch {
      this.isStale = true; // the server is away; the stream says so
    } finally {
      this.isDrawing = false;
      this.drawnAt = Date.now();
    }
  }

  say(state) {
    const shown = document.querySelector("[data-live-state]");
    if (!shown) return;
    shown.dataset.state = state;
    shown.textContent = { on: "Live", off: "Offline", paused: "Paused" }[state];
  }
}

export function drawRegions(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const regions = [...document.querySelectorAll("[data-live-region]")];
  if (!regions.some((region) => page.getElementById(region.id))) return location.reload(); // it is another page by now
  for (const region of regions) {
    const wanted = page.getElementById(region.id);
    if (wanted && !isBeingUsed(region)) morph(region, wanted);
  }
  document.dispatchEvent(new CustomEvent("perdure:drawn"));
}

function isBeingUsed(region) {
  const active = document.activeElement;
  if (region.contains(active) && active.matches("input:not([type=checkbox]), textarea, select")) return true;
  const selection = getSelection();
  return !selection.isCollapsed && region.contains(selection.anchorNode);
}

const main = document.querySelector("main[data-live]");
export const live = main ? new Live(main) : null;
