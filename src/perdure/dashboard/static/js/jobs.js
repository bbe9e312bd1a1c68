// The list of jobs while one looks at it: rows change where they are, and none comes, goes or moves by itself. New jobs
// are announced. What somebody selects is counted.
import "./choices.js";
import { morph } from "./morph.js";

const ASKS_EVERY_MS = 1500; // for rows to which something happened
const LOOKS_EVERY_MS = 10000; // for jobs that nothing has happened to yet
const MAX_ASKED = 100;

const form = document.getElementById("jobs");
const pauseButton = document.querySelector("[data-pause]");

const rowOf = (id) => form.querySelector(`[data-row="${CSS.escape(id)}"]`);

class List {
  constructor() {
    this.changed = new Set();
    this.hasNews = false;
    this.askedAt = Date.now();
    this.isAsking = false;
    this.isPaused = false;
    document.addEventListener("perdure:changes", ({ detail }) => this.note(detail));
    setInterval(() => this.ask(), 250);
  }

  note({ jobs, isWhole }) {
    this.hasNews = true;
    const seen = isWhole ? jobs.map((job) => job.job_id) : [...form.querySelectorAll("[data-row]")].map((row) => row.dataset.row);
    for (const id of seen) if (rowOf(id)) this.changed.add(id);
  }

  isDue() {
    const since = Date.now() - this.askedAt;
    return since >= (this.changed.size || this.hasNews ? ASKS_EVERY_MS : LOOKS_EVERY_MS);
  }

  async ask() {
    if (this.isPaused || this.isAsking || document.hidden || !this.isDue()) return;
    const ids = [...this.changed].slice(0, MAX_ASKED);
    for (const id of ids) this.changed.delete(id);
    this.hasNews = false;
    this.isAsking = true;
    const address = new URL(form.dataset.liveAddress, location);
    for (const id of ids) address.searchParams.append("job_id", id);
    if (form.dataset.newest) address.searchParams.set("newest", form.dataset.newest);
    try {
      const answer = await fetch(address, { redirect: "error" });
      if (answer.ok && !this.isPaused) this.draw(await answer.text());
    } catch {
      for (const id of ids) this.changed.add(id); // the server is away; the stream says so
    } finally {
      this.isAsking = false;
      this.askedAt = Date.now();
    }
  }

  draw(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    morph(document.getElementById("state-tabs"), page.getElementById("state-tabs"));
    this.announce(page.getElementById("new-jobs"));
    for (const row of page.querySelectorAll("#rows > tr")) {
      const shown = rowOf(row.dataset.row);
      if (shown) morph(shown, row);
    }
    document.dispatchEvent(new CustomEvent("perdure:drawn"));
  }

  announce(news) {
    const place = form.querySelector("[data-announced]");
    if (place.textContent.trim() !== news.textContent.trim()) place.replaceChildren(...news.childNodes);
    place.hidden = place.textContent.trim() === "";
  }

  pause() {
    this.isPaused = !this.isPaused;
    pauseButton.setAttribute("aria-pressed", String(this.isPaused));
    pauseButton.querySelector("span").textContent = this.isPaused ? "Resume" : "Pause";
    document.dispatchEvent(new CustomEvent("perdure:pause", { detail: this.isPaused }));
    if (!this.isPaused) this.note({ jobs: [], isWhole: false });
  }
}

function countSelected() {
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox]")];
  const count = boxes.filter((box) => box.checked).length;
  const said = form.querySelector("[data-selected]");
  said.textContent = count === 0 ? "Select some, or act on all that match" : `${count} selected`;
  const all = form.querySelector("[data-all]");
  all.checked = count > 0 && count === boxes.length;
  all.indeterminate = count > 0 && count < boxes.length;
}

if (form) {
  const list = new List();
  pauseButton.hidden = false;
  pauseButton.addEventListener("click", () => list.pause());
  const all = form.querySelector("[data-all]");
  if (all) {
    all.hidden = false;
    form.addEventListener("change", ({ target }) => {
      if (target === all) for (const box of form.querySelectorAll("tbody input[type=checkbox]")) box.checked = all.checked;
      countSelected();
    });
    addEventListener("pageshow", countSelected); // browsers remember what was selected
  }
}
