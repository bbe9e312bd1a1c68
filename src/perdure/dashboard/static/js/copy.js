// Buttons that copy what stands beside them. They show where there is a clipboard to copy to.
const SAID_FOR = 1500;

function showButtons(root = document) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy || button.parentElement.querySelector("pre").textContent;
  await navigator.clipboard.writeText(text);
  button.classList.add("copied");
  button.title = "Copied";
  setTimeout(() => {
    button.classList.remove("copied");
    button.title = "Copy";
  }, SAID_FOR);
});

document.addEventListener("perdure:drawn", () => showButtons());
showButtons();
