"use strict";
// Theme, tips, sorting and the place marker of the navigation. Nothing here touches the network.
(() => {
  const root = document.documentElement;
  const store = {
    get: () => { try { return localStorage.getItem("kshot-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("kshot-theme", value); } catch { /* private mode */ } },
  };

  // theme: auto, light, dark; #theme=dark in the address wins
  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  const applyTheme = (name) => {
    if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
    button.textContent = "theme: " + name;
    document.dispatchEvent(new Event("kshot-theme"));
  };
  const asked = /[#&?]theme=(auto|light|dark)/.exec(location.hash);
  let theme = asked ? asked[1] : themes.includes(store.get()) ? store.get() : "auto";
  button.hidden = false;
  applyTheme(theme);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    store.set(theme);
    applyTheme(theme);
  });

  // paper is white
  addEventListener("beforeprint", () => applyTheme("light"));
  addEventListener("afterprint", () => applyTheme(theme));

  // tips: one bubble, filled from the section of words
  const tip = document.getElementById("tip");
  let owner = null;
  const hide = () => {
    if (owner) owner.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  const show = (mark) => {
    const words = document.getElementById("def-" + mark.dataset.term);
    if (!words) return;
    hide();
    owner = mark;
    const title = document.createElement("b");
    title.textContent = words.querySelector("dt").textContent;
    tip.replaceChildren(title, words.querySelector("dd").textContent);
    tip.hidden = false;
    mark.setAttribute("aria-describedby", "tip");
    const at = mark.getBoundingClientRect(), width = document.documentElement.clientWidth;
    const left = Math.max(12, Math.min(at.left + at.width / 2 - tip.offsetWidth / 2, width - tip.offsetWidth - 12));
    const below = at.bottom + tip.offsetHeight + 12 < innerHeight;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (below ? at.bottom + 8 : at.top - tip.offsetHeight - 8) + scrollY + "px";
  };
  const mark = (event) => event.target instanceof Element && event.target.closest(".term");
  document.addEventListener("pointerover", (event) => { if (mark(event)) show(mark(event)); });
  document.addEventListener("pointerout", (event) => { if (mark(event)) hide(); });
  document.addEventListener("focusin", (event) => { if (mark(event)) show(mark(event)); });
  document.addEventListener("focusout", hide);
  document.addEventListener("click", (event) => { if (mark(event)) show(mark(event)); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // sorting: numbers downwards first, words upwards first, the third click gives the first order back
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  };
  const empty = (value) => value === "" || value === "nan" || value === "None";
  const sortBy = (table, header) => {
    const body = table.tBodies[0], column = header.cellIndex, numeric = header.classList.contains("num");
    const order = numeric ? ["descending", "ascending", null] : ["ascending", "descending", null];
    const now = order[(order.indexOf(header.getAttribute("aria-sort")) + 1) % 3];
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    if (now) header.setAttribute("aria-sort", now);
    const number = (value) => Number(value.replace(/^(-?)inf$/, "$1Infinity"));
    const compare = (a, b) => {
      if (!now) return a.dataset.place - b.dataset.place;
      const x = key(a, column), y = key(b, column);
      if (empty(x) || empty(y)) return empty(x) - empty(y);
      const way = numeric ? number(x) - number(y) || 0 : x.localeCompare(y);
      return (now === "ascending" ? way : -way) || a.dataset.place - b.dataset.place;
    };
    body.append(...[...body.rows].sort(compare));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
    table.tHead.addEventListener("click", (event) => {
      const sort = event.target.closest(".sort");
      if (sort) sortBy(table, sort.closest("th"));
    });
  }

  // a long leaderboard folds its single adapters away
  const board = document.querySelector(".board");
  const foldable = board ? board.querySelectorAll(".foldable").length : 0;
  if (foldable) {
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    const label = () => {
      const folded = board.classList.contains("fold");
      more.textContent = (folded ? "Show" : "Hide") + " the " + foldable + " single adapters";
      more.setAttribute("aria-expanded", String(!folded));
    };
    board.classList.add("fold");
    label();
    more.addEventListener("click", () => { board.classList.toggle("fold"); label(); });
    board.after(more);
  }

  // the navigation shows where the reader is
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.classList.remove("here"));
      links.get(entry.target.id).classList.add("here");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  links.forEach((_, id) => { const part = document.getElementById(id); if (part) seen.observe(part); });
})();
