"use strict";
// What comes from outside is only ever put into the page as text.
const PAUSE_MS = 2000;

function element(name, text, look) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = String(text);
  if (look) made.className = look;
  return made;
}

// A cell is a text, or [text, look].
function table(heads, rows) {
  const made = element("table");
  const head = made.appendChild(element("thead")).appendChild(element("tr"));
  for (const text of heads) head.append(element("th", text));
  const body = made.appendChild(element("tbody"));
  for (const cells of rows) {
    const row = body.appendChild(element("tr"));
    for (const cell of cells) row.append(Array.isArray(cell) ? element("td", ...cell) : element("td", cell));
  }
  return made;
}

function section(title, heads, rows, nothing) {
  return [element("h2", title), rows.length ? table(heads, rows) : element("p", nothing)];
}

function span(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return Math.floor(seconds / size) + " " + unit;
  }
  return Math.floor(seconds) + " s";
}

// How long something still lives, as a cell.
function expiry(seconds) {
  if (!seconds) return "";
  const left = seconds - Date.now() / 1000;
  if (left <= 0) return ["expired " + span(-left) + " ago", "bad"];
  return ["in " + span(left), left < 600 ? "odd" : ""];
}

function since(text) {
  const passed = (Date.now() - Date.parse(text)) / 1000;
  return Number.isFinite(passed) ? span(Math.max(passed, 0)) + " ago" : text;
}

function bytes(number) {
  if (number < 1024) return number + " B";
  return number < 1048576 ? (number / 1024).toFixed(1) + " KiB" : (number / 1048576).toFixed(1) + " MiB";
}

let before = null;
async function poll() {
  const state = document.getElementById("state");
  try {
    const answer = await fetch("{status}", { cache: "no-store" });
    if (!answer.ok) throw new Error("HTTP " + answer.status);
    const status = await answer.json();
    const now = { status, at: performance.now() };
    const passed = before ? (now.at - before.at) / 1000 : 0;
    document.getElementById("main").replaceChildren(...render(status, before && before.status, passed));
    before = now;
    state.textContent = (status.ready ? "ready" : "unready") + ", version " + status.version;
    state.className = status.ready ? "good" : "bad";
  } catch (error) {
    state.textContent = "no status: " + error.message + "; trying again";
    state.className = "bad";
  }
  setTimeout(poll, PAUSE_MS);
}
