// What the site adds to the theme Furo.
"use strict";

// Summaries of search results are fetched, which browsers refuse for files on the disk.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined")
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

document.addEventListener("DOMContentLoaded", () => {
  // What scrolls sideways can be scrolled with the keyboard.
  for (const element of document.querySelectorAll(".highlight pre, .table-wrapper"))
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  // Names and levels that a screen reader asks for.
  for (const caption of document.querySelectorAll(".caption[role=heading]"))
    caption.setAttribute("aria-level", "2");
  for (const [part, name] of [[".sidebar-drawer", "Site"], [".toc-drawer", "Page"]])
    document.querySelector(part)?.setAttribute("aria-label", name);
});

// "/" goes to the search.
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.querySelector(".sidebar-search");
  if (field === null) return;
  event.preventDefault();
  field.focus();
});
