// The little that htmx does not do: Ctrl+Enter runs a query, and Stop ends it (the server sees us leave).
"use strict";

document.addEventListener("keydown", (event) => {
  const editor = event.target.closest?.("textarea[data-run]");
  if (editor && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.querySelector(editor.dataset.run).click();
  }
});

document.addEventListener("click", (event) => {
  const stop = event.target.closest("[data-stop]");
  if (stop) {
    document.querySelectorAll(stop.dataset.stop).forEach((button) => button.dispatchEvent(new Event("htmx:abort")));
  }
});
