// Sends batch after batch where a form says that there are more, until there are none, or somebody stops it. Where one
// fails, the form is still there, with its button.
import { drawRegions } from "./live.js";

const stop = document.querySelector("[data-stop]");
const nextForm = () => document.querySelector("form[data-goes-on]");
let isStopped = false;

async function send(form) {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) return false;
  drawRegions(await answer.text());
  history.replaceState(null, "", answer.url);
  return true;
}

async function goOn() {
  stop.hidden = nextForm() === null;
  try {
    while (!isStopped && nextForm()) if (!(await send(nextForm()))) break;
  } finally {
    stop.hidden = true;
  }
}

stop.addEventListener("click", () => {
  isStopped = true;
});
goOn();
