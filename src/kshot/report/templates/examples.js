"use strict";
// The browser of examples: two systems, a filter, a search, one page of rows at a time.
// Its state stands in the address: #examples?a=NAME&b=NAME&show=wins&q=TEXT&page=2
(() => {
  const browser = document.getElementById("browser");
  if (!browser) return;
  const at = (id) => document.getElementById(id);
  const PAGE = 20, CUT = 700;
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  let data = null;
  const state = { a: 0, b: 0, show: "all", q: "", page: 1 };
  const name = (place) => data.systems[place].name;
  const score = (row, place) => row[5][place];
  const right = (row, place) => score(row, place) !== null && score(row, place) >= 0.5;
  const both = (row) => score(row, state.a) !== null && score(row, state.b) !== null;
  const filters = {
    all: { label: () => "all rows", test: () => true },
    wins: { label: () => "A wins", tone: "--accent", test: (row) => both(row) && score(row, state.a) > score(row, state.b) },
    losses: { label: () => "B wins", tone: "--unsure", test: (row) => both(row) && score(row, state.a) < score(row, state.b) },
    right: { label: () => "both right", tone: "--better", test: (row) => right(row, state.a) && right(row, state.b) },
    wrong: { label: () => "both wrong", tone: "--worse", test: (row) => both(row) && !right(row, state.a) && !right(row, state.b) },
    differ: { label: () => "replies differ", tone: "--tied", test: (row) => row[4][state.a] !== row[4][state.b] },
    invalid: { label: () => "A or B invalid", tone: "--other",
      test: (row) => [state.a, state.b].some((place) => row[4][place] === null && score(row, place) !== null) },
  };
  const found = (row, wanted) => !wanted ||
    [row[0], row[1], row[2], row[3], row[4][state.a], row[4][state.b]].some((text) => text && text.toLowerCase().includes(wanted));

  // address
  const fromAddress = () => {
    const [part, query] = location.hash.slice(1).split(/\?(.*)/s);
    if (part !== "examples" || query === undefined) return false;
    const given = new URLSearchParams(query);
    for (const side of ["a", "b"]) {
      const place = data.systems.findIndex((system) => system.name === given.get(side));
      if (place >= 0) state[side] = place;
    }
    state.show = Object.hasOwn(filters, given.get("show")) ? given.get("show") : "all";
    state.q = given.get("q") ?? "";
    state.page = Math.max(1, Number.parseInt(given.get("page"), 10) || 1);
    return true;
  };
  const toAddress = () => {
    const query = new URLSearchParams({ a: name(state.a), b: name(state.b), show: state.show });
    if (state.q) query.set("q", state.q);
    if (state.page > 1) query.set("page", state.page);
    history.replaceState(null, "", "#examples?" + query);
  };

  // drawing
  const text = (content, className) => {
    const holder = document.createDocumentFragment();
    const body = make("p", "text " + (className ?? ""));
    body.dir = "auto";
    const fill = (shown) => {
      const wanted = state.q.trim().toLowerCase(), place = wanted ? shown.toLowerCase().indexOf(wanted) : -1;
      if (place < 0 || shown.toLowerCase().length !== shown.length) { body.textContent = shown; return; }
      body.replaceChildren(shown.slice(0, place), make("mark", "", shown.slice(place, place + wanted.length)), shown.slice(place + wanted.length));
    };
    holder.append(body);
    if (content.length <= CUT) { fill(content); return holder; }
    const head = content.slice(0, CUT).replace(/[\uD800-\uDBFF]$/, "");
    fill(head + " …");
    const more = make("button", "more-text", "show all (" + content.length.toLocaleString("en") + " characters)");
    more.type = "button";
    more.addEventListener("click", () => { fill(content); more.remove(); });
    holder.append(more);
    return holder;
  };
  const reply = (row, place, title) => {
    const box = make("div"), heading = make("h3"), given = score(row, place), said = row[4][place];
    const good = right(row, place);
    heading.append(title + " ");
    if (given !== null) {
      const graded = given !== 0 && given !== 1 ? " " + given.toFixed(2) : "";
      heading.append(make("span", "mark " + (good ? "better" : "worse"), (good ? "✓ right" : "✗ wrong") + graded));
    }
    box.append(heading);
    if (said !== null) box.append(text(said));
    else box.append(make("p", "unread", given === null ? "did not answer this row" : "no answer could be read"));
    return box;
  };
  const others = (row) => {
    const details = make("details"), summary = make("summary", "", "all " + data.systems.length + " systems");
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const list = make("div", "replies");
      data.systems.forEach((system, place) => list.append(reply(row, place, system.name + (system.oracle ? " (oracle)" : ""))));
      details.append(list);
    });
    return details;
  };
  const card = (row, number) => {
    const item = make("li", "example"), head = make("header");
    head.append(make("span", "", "row " + (number + 1)), make("code", "", row[0]));
    if (row[3]) head.append(make("span", "where", row[3]));
    const prompt = make("div", "prompt"), replies = make("div", "replies"), gold = make("div");
    prompt.append(text(row[1]));
    gold.append(make("h3", "", "right answer"), text(row[2]));
    replies.append(gold, reply(row, state.a, "A · " + name(state.a)), reply(row, state.b, "B · " + name(state.b)));
    item.append(head, prompt, replies);
    if (data.systems.length > 2) item.append(others(row));
    return item;
  };
  const mosaic = (counts) => {
    const held = document.activeElement?.dataset?.show;
    const buttons = Object.entries(filters).map(([show, filter]) => {
      const button = make("button");
      button.type = "button";
      button.dataset.show = show;
      button.setAttribute("aria-pressed", String(state.show === show));
      if (filter.tone) button.style.setProperty("--tone", "var(" + filter.tone + ")");
      button.style.setProperty("--grow", 1 + 3 * counts[show] / Math.max(1, data.rows.length));
      button.append(make("b", "", counts[show].toLocaleString("en")), make("span", "", filter.label()));
      button.addEventListener("click", () => change({ show }));
      return button;
    });
    at("mosaic").replaceChildren(...buttons);
    if (held) buttons.find((button) => button.dataset.show === held)?.focus();
  };
  const render = () => {
    const wanted = state.q.trim().toLowerCase();
    const counts = Object.fromEntries(Object.keys(filters).map((show) => [show, 0]));
    const kept = [];
    data.rows.forEach((row, number) => {
      if (!found(row, wanted)) return;
      for (const [show, filter] of Object.entries(filters)) {
        if (!filter.test(row)) continue;
        counts[show] += 1;
        if (show === state.show) kept.push(number);
      }
    });
    const pages = Math.max(1, Math.ceil(kept.length / PAGE));
    state.page = Math.min(state.page, pages);
    at("pick-a").value = state.a;
    at("pick-b").value = state.b;
    if (at("find").value !== state.q) at("find").value = state.q;
    mosaic(counts);
    const cut = data.cut === null ? "" : " Texts longer than " + data.cut.toLocaleString("en") + " characters are cut in this file.";
    at("status").textContent = kept.length.toLocaleString("en") + " of " + data.rows.length.toLocaleString("en") + " rows: " +
      filters[state.show].label() + (wanted ? ", with “" + state.q.trim() + "”" : "") + "." + cut;
    const page = kept.slice((state.page - 1) * PAGE, state.page * PAGE);
    at("cards").replaceChildren(...page.map((number) => card(data.rows[number], number)));
    if (!page.length) at("cards").append(make("li", "empty", "No row fits. Take another filter or a shorter search."));
    at("page-of").textContent = "page " + state.page + " of " + pages;
    at("previous").disabled = state.page <= 1;
    at("next").disabled = state.page >= pages;
    at("pager").hidden = pages === 1;
  };
  const change = (changes, { keepPage = false } = {}) => {
    Object.assign(state, keepPage ? {} : { page: 1 }, changes);
    render();
    toAddress();
  };

  const start = () => {
    data = JSON.parse(at("rows-json").textContent);
    Object.assign(state, { a: data.a, b: data.b });
    for (const side of ["a", "b"]) {
      const options = data.systems.map((system, place) => {
        const option = make("option", "", system.name + (system.oracle ? " (oracle)" : ""));
        option.value = place;
        return option;
      });
      at("pick-" + side).append(...options);
      at("pick-" + side).addEventListener("change", (event) => change({ [side]: Number(event.target.value) }));
    }
    at("swap").addEventListener("click", () => change({ a: state.b, b: state.a }));
    let waiting = 0;
    at("find").addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => change({ q: event.target.value }), 150);
    });
    const turn = (step) => { change({ page: state.page + step }, { keepPage: true }); browser.scrollIntoView({ block: "start" }); };
    at("previous").addEventListener("click", () => turn(-1));
    at("next").addEventListener("click", () => turn(1));
    browser.hidden = false;
  };
  const open = () => {
    if (!data) start();
    const asked = fromAddress();
    render();
    if (asked) at("examples").scrollIntoView({ behavior: "instant" });
  };
  addEventListener("hashchange", () => { if (location.hash.startsWith("#examples?")) open(); });
  if (location.hash.startsWith("#examples?")) { open(); return; }
  // rows are read when the section comes near, not before
  new IntersectionObserver((entries, watcher) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    if (!data) open();
  }, { rootMargin: "800px" }).observe(at("examples"));
})();
