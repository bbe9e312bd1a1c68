// What every page does. Each module finds by itself what it is for, now and after a part of the page was drawn anew.
import "./dialogs.js";
import "./copy.js";
import "./times.js";
import "./keys.js";
import "./live.js";
import "./charts.js";

// Where to come back to after a preference was changed: with the filters of the address.
for (const field of document.querySelectorAll("[data-here]")) field.value = location.pathname + location.search;
