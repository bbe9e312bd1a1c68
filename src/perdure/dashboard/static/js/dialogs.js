// Dialogs that ask first. Buttons say it themselves (`command`, `commandfor`); here it is done for browsers that do not know it.
const knowsCommands = "command" in HTMLButtonElement.prototype;

if (!knowsCommands) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (!dialog) return;
    if (button.getAttribute("command") === "show-modal" && !dialog.open) dialog.showModal();
    if (button.getAttribute("command") === "close") dialog.close();
  });
}

// A click beside the dialog closes it.
document.addEventListener("click", (event) => {
  if (event.target instanceof HTMLDialogElement && event.target.open) {
    const { left, right, top, bottom } = event.target.getBoundingClientRect();
    const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
    if (!inside && event.detail > 0) event.target.close();
  }
});

export const openDialog = () => document.querySelector("dialog[open]");
