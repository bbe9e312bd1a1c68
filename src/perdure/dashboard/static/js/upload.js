// Files that a form names: stored as soon as they are chosen, with how far that is; the field then holds the file's id.
// Without scripts it is sent along with the form.
const said = (bytes) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes, unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
};

class Upload {
  constructor(element) {
    this.element = element;
    this.field = element.querySelector("input[type=text], textarea");
    this.choice = element.querySelector("input[type=file]");
    this.bar = element.querySelector("progress");
    this.words = element.querySelector("[data-upload-said]");
    this.waiting = [];
    this.choice.removeAttribute("name");
    this.choice.addEventListener("change", () => this.choose([...this.choice.files]));
  }

  choose(files) {
    this.waiting = files;
    if (files.length === 0) return;
    if (this.request) {
      this.request.abort();
      this.hold(false);
    }
    this.begin(this.waiting.shift());
  }

  begin(file) {
    const request = new XMLHttpRequest(); // fetch() does not tell how much was sent
    this.request = request;
    request.open("POST", `${this.element.dataset.upload}?${new URLSearchParams({ name: file.name })}`);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => this.show(file, loaded, total));
    request.addEventListener("load", () => this.end(file, request.status, request.response));
    request.addEventListener("error", () => this.fail("The file could not be sent. Choose it again."));
    this.show(file, 0, file.size);
    this.hold(true);
    request.send(file);
  }

  show(file, loaded, total) {
    this.bar.hidden = false;
    this.bar.value = total ? loaded / total : 0;
    this.words.textContent = `${file.name}: ${said(loaded)} of ${said(file.size)}`;
    this.words.className = "hint";
  }

  end(file, status, answer) {
    if (status !== 201 || !answer) return this.fail(answer?.detail ?? `The file was not stored (${status}).`);
    this.field.value = this.field instanceof HTMLTextAreaElement
      ? [this.field.value.trim(), answer.file_id].filter(Boolean).join("\n")
      : answer.file_id;
    this.bar.hidden = true;
    this.words.textContent = `${file.name} is stored, ${said(answer.size_bytes)}.`;
    this.done();
  }

  fail(text) {
    this.waiting = [];
    this.bar.hidden = true;
    this.words.textContent = text;
    this.words.className = "problem";
    this.done();
  }

  done() {
    this.request = null;
    this.hold(false);
    if (this.waiting.length > 0) this.begin(this.waiting.shift());
    else this.choice.value = "";
  }

  // The form waits for its files.
  hold(isOn) {
    const form = this.field.form;
    form.dataset.uploads = String(Number(form.dataset.uploads ?? 0) + (isOn ? 1 : -1));
    for (const button of form.querySelectorAll("button[name=do]")) button.disabled = Number(form.dataset.uploads) > 0;
  }
}

for (const element of document.querySelectorAll("[data-upload]")) new Upload(element);
