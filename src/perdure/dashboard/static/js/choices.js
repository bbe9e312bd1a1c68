// Filters that are chosen from a list hold as soon as they are chosen; without scripts there is a button.
for (const field of document.querySelectorAll("select[data-submits]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
