/* Start: wire controls, keys, fragment and theme. */
"use strict";

(function () {
  const byId = (id) => document.getElementById(id);
  const detail = byId("detail"), help = byId("help-dialog");
  let state = null, returnTo = -1;

  Gallery.notify = function (message) {
    byId("notice").textContent = message;
    byId("notice").hidden = !message;
  };

  function update() {
    state = Gallery.readControls();
    const items = Gallery.listItems(state);
    const all = Gallery.index.items.length;
    byId("count").textContent = items.length === all ? `${all} items` : `${items.length} of ${all} items`;
    Gallery.showItems(items, state);
    Gallery.notify(items.length ? "" : "No item matches: loosen the filters or the search.");
  }

  function followFragment() {
    const found = /^#item=(.+)$/.exec(location.hash);
    if (!found) {
      if (detail.open) detail.close();
      return;
    }
    const name = decodeURIComponent(found[1]);
    const item = Gallery.index.items.find((candidate) => candidate.name === name);
    if (!item) return Gallery.notify(`This gallery has no item ${name}.`);
    if (!detail.open) returnTo = Gallery.focusedPlace();
    Gallery.openItem(item, state);
  }

  detail.addEventListener("close", () => {
    const place = Gallery.listed().indexOf(Gallery.openedLast?.() ?? null);
    history.replaceState(null, "", location.pathname + location.search);
    Gallery.focusCard(place >= 0 ? place : returnTo);
  });

  const KEYS = {
    j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1,
  };

  function onKey(event) {
    const typing = event.target.closest("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing && !document.querySelector("dialog[open]")) return event.target.blur();
    if (typing || help.open) return;
    const handled = detail.open ? onDetailKey(event.key) : onGridKey(event.key);
    if (handled || onPageKey(event.key)) event.preventDefault();
  }

  function onDetailKey(key) {
    if (key in KEYS) Gallery.step(KEYS[key]);
    return key in KEYS;
  }

  function onGridKey(key) {
    const place = Gallery.focusedPlace();
    const rows = { ArrowDown: 1, ArrowUp: -1 };
    if (key in KEYS) Gallery.focusCard(place < 0 ? 0 : place + KEYS[key]);
    else if (key in rows && place >= 0) Gallery.focusCard(place + rows[key] * Gallery.columns());
    else return false;
    return true;
  }

  function onPageKey(key) {
    if (key === "t") toggleTheme();
    else if (key === "?") help.showModal();
    else if (key === "/" && !detail.open) byId("search").focus();
    else return false;
    return true;
  }

  function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function setTheme(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    byId("theme").textContent = isDark() ? "Light" : "Dark";
    byId("theme").setAttribute("aria-label", isDark() ? "Light theme" : "Dark theme");
  }

  function toggleTheme() {
    setTheme(isDark() ? "light" : "dark");
    try {
      localStorage.setItem("theme", document.documentElement.dataset.theme);
    } catch { /* storage may be off: the choice then lasts as long as the page */ }
  }

  function storedTheme() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  const { index } = Gallery;
  document.title = `Where CLIP looks: ${index.dataset}`;
  byId("dataset").textContent = index.dataset;
  byId("origin").textContent = `${index.items.length} items of ${index.dataset}, chosen ` +
    `${index.strategy === "random" ? "at random" : "by strata"} (seed ${index.seed}); clip-grounding ${index.workflow}.`;
  if (matchMedia("(max-width: 700px)").matches) byId("filters").open = false;
  setTheme(storedTheme());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme());
  Gallery.fillControls();
  Gallery.fillKey();
  const form = byId("controls");
  for (const select of form.querySelectorAll("select")) select.addEventListener("change", update);
  byId("search").addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update)); // the fields change after the event
  byId("theme").addEventListener("click", toggleTheme);
  byId("help").addEventListener("click", () => help.showModal());
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    Gallery.focusCard(0);
  });
  addEventListener("keydown", onKey);
  addEventListener("hashchange", followFragment);
  update();
  followFragment();
})();
