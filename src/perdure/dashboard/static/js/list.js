// A list while one looks at it: rows change where they are, and none comes, goes or moves by itself. New ones are
// announced. What somebody selects is counted.
//
//   <form data-live-address="/jobs/live">   the list, or what stands where it would be; answers what is to be drawn anew:
//                                           rows (#rows), the announcement (#news), and any other part by its id
//         data-asks-by="job_id"             how the address asks for a row, by its data-row
//         data-newest="…"                   the id of the newest row when the page was drawn; empty: nothing is announced
//         data-looks-every="10"             so many seconds without anything that is told, at most
//   <tr data-row="…" data-unsettled>        a row that changes without being told of: it is asked for at every look
import "./choices.js";
import { morph } from "./morph.js";

const ASKS_EVERY_MS = 1500; // where something was told
const MAX_ASKED = 100;

class List {
  constructor(element) {
    this.element = element;
    this.changed = new Set();
    this.hasNews = false;
    this.askedAt = Date.now();
    this.isAsking = false;
    this.isPaused = false;
    this.looksEvery = 1000 * Number(element.dataset.looksEvery);
    this.pauseButton = document.querySelector("[data-pause]");
    this.pauseButton.hidden = false;
    this.pauseButton.addEventListener("click", () => this.pause());
    document.addEventListener("perdure:changes", ({ detail }) => this.note(detail));
    setInterval(() => this.ask(), 250);
  }

  row(id) {
    return this.element.querySelector(`[data-row="${CSS.escape(id)}"]`);
  }

  ids(rows = "[data-row]") {
    return [...this.element.querySelectorAll(rows)].map((row) => row.dataset.row);
  }

  note({ jobs, isWhole }) {
    this.hasNews = true;
    for (const id of isWhole ? jobs.map((job) => job.job_id) : this.ids()) if (this.row(id)) this.changed.add(id);
  }

  isDue() {
    const since = Date.now() - this.askedAt;
    return since >= (this.changed.size || this.hasNews ? ASKS_EVERY_MS : this.looksEvery);
  }

  async ask() {
    if (this.isPaused || this.isAsking || document.hidden || !this.isDue()) return;
    const ids = [...new Set([...this.changed, ...this.ids("[data-unsettled]")])].slice(0, MAX_ASKED);
    for (const id of ids) this.changed.delete(id);
    this.hasNews = false;
    this.isAsking = true;
    const { liveAddress, asksBy, newest } = this.element.dataset;
    const address = new URL(liveAddress, location);
    for (const id of ids) address.searchParams.append(asksBy, id);
    if (newest) address.searchParams.set("newest", newest);
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
    for (const row of page.querySelectorAll("#rows > tr")) {
      const shown = this.row(row.dataset.row);
      if (shown) morph(shown, row);
    }
    this.announce(page.getElementById("news"));
    for (const part of page.body.children) {
      const shown = part.id && document.getElementById(part.id);
      if (shown) morph(shown, part);
    }
    document.dispatchEvent(new CustomEvent("perdure:drawn"));
  }

  announce(news) {
    const place = document.querySelector("[data-announced]");
    if (place.textContent.trim() !== news.textContent.trim()) place.replaceChildren(...news.childNodes);
    place.hidden = place.textContent.trim() === "";
  }

  pause() {
    this.isPaused = !this.isPaused;
    this.pauseButton.setAttribute("aria-pressed", String(this.isPaused));
    this.pauseButton.querySelector("span").textContent = this.isPaused ? "Resume" : "Pause";
    document.dispatchEvent(new CustomEvent("perdure:pause", { detail: this.isPaused }));
    if (!this.isPaused) this.note({ jobs: [], isWhole: false });
  }
}

// The boxes of the rows, and the one that stands for all of them.
class Selection {
  constructor(form, all) {
    this.form = form;
    this.all = all;
    all.hidden = false;
    form.addEventListener("change", ({ target }) => {
      if (target === all) for (const box of this.boxes()) box.checked = all.checked;
      this.count();
    });
    addEventListener("pageshow", () => this.count()); // browsers remember what was selected
  }

  boxes() {
    return [...this.form.querySelectorAll("tbody input[type=checkbox]")];
  }

  count() {
    const boxes = this.boxes();
    const count = boxes.filter((box) => box.checked).length;
    const said = this.form.querySelector("[data-selected]");
    said.textContent = count === 0 ? "Select some, or act on all that match" : `${count} selected`;
    this.all.checked = count > 0 && count === boxes.length;
    this.all.indeterminate = count > 0 && count < boxes.length;
  }
}

const element = document.querySelector("[data-live-address]");
if (element) new List(element);
const all = element?.querySelector("[data-all]");
if (all) new Selection(element, all);
