"use strict";
// Texts of rows are put in as text alone, never as markup.
const el = (id) => document.getElementById(id);
const KEYS = { accept: "a", reject: "r", left: "1", right: "2", tie: "t" };
const WORDS = { accept: "Accept", reject: "Reject", left: "Left is better", right: "Right is better", tie: "Tie" };
let deck = null;
let card = null;
let busy = false;
let saving = Promise.resolve(); // of a note that was left; what comes next waits for it
const done = []; // ids in the order of this tab's votes, for undo

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  let found;
  try {
    const reply = await fetch(path, options);
    const text = await reply.text();
    try { found = JSON.parse(text); } catch { found = { error: text }; }
    if (!reply.ok) throw new Error(found.error || `status ${reply.status}`);
  } catch (error) {
    el("wrong").textContent = `Not saved or not loaded: ${error.message}. Is the server still there?`;
    el("wrong").hidden = false;
    throw error;
  }
  el("wrong").hidden = true;
  if (found.progress) tell(found.progress);
  return found;
}

function tell(progress) {
  el("bar").max = progress.of;
  el("bar").value = progress.done;
  const counts = Object.entries(progress.counts || {}).map(([name, count]) => `${count} ${name}ed`);
  const decided = `${progress.done.toLocaleString("en")} of ${progress.of.toLocaleString("en")} decided`;
  el("said").textContent = [decided, ...counts].join(" · ");
  const body = el("result").tBodies[0];
  body.replaceChildren();
  for (const [name, count] of progress.result || []) {
    const row = body.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = count;
  }
  el("result").hidden = !progress.result;
}

function show(found) {
  card = found;
  el("card").hidden = !card;
  el("end").hidden = Boolean(card);
  for (const button of el("buttons").children) button.disabled = !card;
  if (!card) {
    const all = el("bar").value === el("bar").max;
    el("end-title").textContent = all ? "All is decided." : "Nothing more here. Another filter shows the rest.";
    return;
  }
  el("place").textContent = `${(card.at + 1).toLocaleString("en")} of ${deck.progress.of.toLocaleString("en")}`;
  el("task").textContent = card.group;
  el("verdict").textContent = card.verdict || "";
  el("verdict").className = `verdict ${card.verdict || ""}`;
  el("note").value = card.note;
  el("parts").className = deck.mode;
  el("parts").replaceChildren(...card.parts.map(([name, text]) => {
    const part = document.createElement("section");
    part.className = "part";
    const head = document.createElement("h2");
    head.textContent = name;
    const told = document.createElement("div");
    told.dir = "auto";
    told.textContent = text.trim() ? text : "(empty)";
    told.className = text.trim() ? "" : "none";
    part.append(head, told);
    return part;
  }));
  window.scrollTo(0, 0);
}

async function go(at, step) {
  const query = new URLSearchParams({ at, step, limit: 1, group: el("group").value, open: el("open").checked ? 1 : 0 });
  const found = await ask(`/api/cards?${query}`);
  return found.cards[0] || null;
}

async function move(step) {
  if (!card) return show(await go(step > 0 ? 0 : deck.progress.of - 1, step));
  await keepNote();
  const found = await go(card.at + step, step);
  if (found || step > 0) show(found);
}

async function first() {
  let found = await go(card ? card.at : 0, 1);
  if (!found) found = await go(0, 1);
  show(found);
}

async function vote(verdict) {
  if (!card) return;
  const at = card.at;
  await ask("/api/votes", { id: card.id, verdict, note: el("note").value });
  done.push(card.id);
  el("undo").disabled = false;
  show((await go(at + 1, 1)) || (el("open").checked ? await go(0, 1) : null));
}

async function keepNote() {
  if (!card || el("note").value === card.note) return;
  const found = await ask("/api/votes", { id: card.id, note: el("note").value });
  done.push(card.id);
  el("undo").disabled = false;
  card = found.card;
}

async function undo() {
  if (card && el("note").value !== card.note) { // what was typed last goes first
    el("note").value = card.note;
    return;
  }
  const id = done[done.length - 1];
  if (id === undefined) return;
  const found = await ask("/api/undo", { id });
  done.pop();
  el("undo").disabled = done.length === 0;
  show(found.card);
}

// one thing at a time: a key that is held down does not vote on cards that were not seen
function once(work) {
  return async (event) => {
    if (busy) return;
    busy = true;
    try {
      await saving;
      await work(event);
    } catch (error) { console.error(error); } finally { busy = false; }
  };
}

// a filter is never passed over: it waits for what is under way
function later(work) {
  return async (event) => {
    while (busy) await new Promise((done) => setTimeout(done, 10));
    await once(work)(event);
  };
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target === el("note")) {
    if (event.key === "Escape") el("note").blur();
    return;
  }
  if (event.target.tagName === "SELECT") return;
  const verdict = deck && deck.verdicts.find((name) => KEYS[name] === event.key);
  if (verdict) once(() => vote(verdict))();
  else if (event.key === "j") once(() => move(1))();
  else if (event.key === "k") once(() => move(-1))();
  else if (event.key === "u") once(undo)();
  else if (event.key === "n") { event.preventDefault(); el("note").focus(); }
}

async function begin() {
  deck = await ask("/api/deck");
  el("title").textContent = deck.mode === "rows" ? "Rows of an exploration" : "Which answer is better?";
  document.title = `${el("title").textContent} · kshot`;
  const named = deck.groups.filter((group) => group.name);
  for (const group of named) {
    el("group").append(new Option(`${group.name} (${group.of.toLocaleString("en")})`, group.name));
  }
  el("group-box").hidden = named.length === 0;
  for (const name of deck.verdicts) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = KEYS[name];
    button.type = "button";
    button.className = name;
    button.append(WORDS[name], key);
    button.addEventListener("click", once(() => vote(name)));
    el("buttons").append(button);
  }
  el("keys").textContent = deck.verdicts.map((name) => `${KEYS[name]} ${WORDS[name].toLowerCase()}`).join(", ");
  el("on").addEventListener("click", once(() => move(1)));
  el("back").addEventListener("click", once(() => move(-1)));
  el("undo").addEventListener("click", once(undo));
  el("note").addEventListener("blur", (event) => {
    // a button keeps the note with what it does
    const isButton = event.relatedTarget && event.relatedTarget.tagName === "BUTTON";
    if (!isButton && !busy) saving = keepNote().catch((error) => console.error(error));
  });
  el("group").addEventListener("change", later(async () => { card = null; await first(); }));
  el("open").addEventListener("change", later(first));
  document.addEventListener("keydown", onKey);
  await first();
}

begin().catch((error) => console.error(error));
