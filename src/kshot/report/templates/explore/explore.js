"use strict";
// The outline folds; a click in the picture of the tree shows that task beside it.
(() => {
  const folds = document.querySelector(".folds");
  if (folds) {
    const all = [...document.querySelectorAll(".outline li > details")];
    folds.hidden = false;
    document.getElementById("unfold").addEventListener("click", () => all.forEach((one) => { one.open = true; }));
    document.getElementById("fold").addEventListener("click", () => all.forEach((one, at) => { one.open = at === 0; }));
  }

  const place = document.getElementById("plot-tree"), picked = document.getElementById("picked");
  if (!place || !picked) return;
  // entries stand in the order of the picture's sectors; nodes are copied, no text is read as markup
  const ids = JSON.parse(document.getElementById("plots-json").textContent)["plot-tree"].data[0].ids;
  const entries = [...document.querySelectorAll(".outline li")];
  const show = (id) => {
    const entry = entries[ids.indexOf(id)];
    if (!entry) return;
    const details = entry.firstElementChild, summary = details.querySelector("summary");
    const title = document.createElement("h3");
    title.dir = "auto";
    title.textContent = summary.querySelector("b").textContent;
    const about = details.querySelector(".about").cloneNode(true);
    about.querySelectorAll("details").forEach((one) => { one.open = true; });
    picked.replaceChildren(title, summary.querySelector(".counts").cloneNode(true), about);
    picked.scrollTop = 0;
  };
  const listen = () => {
    if (!place.dataset.drawn || place.dataset.listens) return;
    place.dataset.listens = "yes";
    place.on("plotly_sunburstclick", (event) => { show(event.points[0].id); });
    show(ids[0]);
  };
  new MutationObserver(listen).observe(place, { attributes: true, attributeFilter: ["data-drawn"] });
  listen();
})();
