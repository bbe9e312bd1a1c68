// Draws a part of a page anew by changing only what differs: focus, selection, open details and the cursor's row stay.
const KEPT = new Set(["open", "data-exact"]);

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.row || null : null);

const sameKind = (one, other) =>
  one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

function morphAttributes(current, wanted) {
  for (const { name } of [...current.attributes]) {
    if (!wanted.hasAttribute(name) && !KEPT.has(name) && name !== "aria-current") current.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
}

function morphChildren(current, wanted) {
  const keyed = new Map();
  for (const child of current.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = current.firstChild;
  for (const child of [...wanted.childNodes]) {
    const known = keyOf(child) ? keyed.get(keyOf(child)) : null;
    if (known && known.nodeName === child.nodeName) {
      if (known !== place) current.insertBefore(known, place);
      else place = place.nextSibling;
      morph(known, child);
    } else if (place && sameKind(place, child)) {
      const next = place.nextSibling;
      morph(place, child);
      place = next;
    } else {
      current.insertBefore(child.cloneNode(true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

export function morph(current, wanted) {
  if (current.nodeType === Node.TEXT_NODE || current.nodeType === Node.COMMENT_NODE) {
    if (current.data !== wanted.data) current.data = wanted.data;
    return;
  }
  if (current.isEqualNode(wanted)) return;
  if (current.nodeName === "SCRIPT" || current.hasAttribute("data-live-state")) return;
  morphAttributes(current, wanted);
  if (current instanceof HTMLInputElement || current instanceof HTMLTextAreaElement) return; // what somebody typed
  morphChildren(current, wanted);
}
