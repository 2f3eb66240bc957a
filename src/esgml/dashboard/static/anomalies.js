// Verdicts on alarms: keys and buttons. Reading the page needs none of this.
"use strict";

const panel = document.querySelector("[data-event]");
const rows = [...document.querySelectorAll("tr[data-href]")];
const current = rows.findIndex((row) => row.classList.contains("current"));

const say = async (verdict) => {
  const answer = await fetch("/anomalies/verdict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ id: panel.dataset.event, verdict }),
  });
  const status = panel.querySelector("[role=status]");
  if (!answer.ok) {
    status.textContent = `not saved (${answer.status})`;
    return;
  }
  const { word } = await answer.json();
  status.textContent = word || "no verdict";
  const cell = rows[current]?.querySelector(".verdict");
  if (cell) cell.textContent = word;
};

const move = (step) => {
  const next = rows[current + step];
  if (next) location.assign(next.dataset.href);
};

const keys = {
  c: () => panel && say("true"),
  d: () => panel && say("false"),
  e: () => panel && say("explained"),
  u: () => panel && say(""),
  j: () => move(1),
  k: () => move(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea")) return;
  keys[event.key]?.();
});

for (const button of document.querySelectorAll("button[data-verdict]")) {
  button.hidden = false;
  button.addEventListener("click", () => say(button.dataset.verdict));
}
