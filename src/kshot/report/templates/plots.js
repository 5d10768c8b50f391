"use strict";
// Draws the figures of #plots-json with the colours of the page's theme, each when it comes into view.
(() => {
  if (typeof Plotly === "undefined") return;
  const figures = JSON.parse(document.getElementById("plots-json").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const filled = (value) => {
    if (typeof value === "string") return /^--[a-z]+$/.test(value) ? colour(value) : value;
    if (Array.isArray(value)) return value.map(filled);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item)]));
    }
    return value;
  };
  const shorter = (text) => (text.length > 17 && !text.includes("&") ? text.slice(0, 16) + "…" : text);

  const draw = (place) => {
    const figure = filled(figures[place.id]), narrow = place.clientWidth < 560, ink = colour("--ink");
    const font = getComputedStyle(document.body).fontFamily;
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), tickcolor: colour("--line"), zeroline: false };
    const title = (given) => ({ ...given, font: { size: 13, color: colour("--muted") } });
    const shown = { ...figure.layout };
    for (const name of ["xaxis", "yaxis"]) {
      shown[name] = { ...axis, ...figure.layout[name], fixedrange: narrow };
      if (shown[name].title) shown[name].title = title(shown[name].title);
    }
    if (narrow && shown.yaxis.ticktext) shown.yaxis.ticktext = shown.yaxis.ticktext.map(shorter);
    if (narrow) for (const trace of figure.data) if (trace.mode === "markers+text") trace.mode = "markers";
    const layout = {
      ...shown, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: narrow ? false : "zoom",
      font: { family: font, color: ink, size: 13 }, margin: { l: 56, r: narrow ? 16 : 110, t: 18, b: 56, ...figure.layout.margin },
      hoverlabel: { bgcolor: ink, bordercolor: ink, align: "left", font: { color: colour("--paper"), family: font, size: 13 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: colour("--accent") },
      legend: { orientation: "h", x: 0, y: 1.1, ...figure.layout.legend },
    };
    // the buttons are listed one by one: plotly's own list has one that sends the figure to a server
    const config = { responsive: true, displaylogo: false, displayModeBar: narrow ? false : "hover", showSendToCloud: false,
      plotlyServerURL: "", modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      toImageButtonOptions: { filename: "kshot-" + place.id } };
    Plotly.react(place, figure.data, layout, config);
    place.dataset.drawn = "yes";
  };
  const places = Object.keys(figures).map((id) => document.getElementById(id)).filter(Boolean);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
  }, { rootMargin: "600px" });
  places.forEach((place) => {
    place.style.minHeight = figures[place.id].layout.height + "px";
    seen.observe(place);
  });
  const redraw = () => places.filter((place) => place.dataset.drawn).forEach(draw);
  document.addEventListener("kshot-theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => places.filter((place) => !place.dataset.drawn).forEach(draw));
})();
