"use strict";

const POLL_MILLISECONDS = 1000;
const find = (id) => document.getElementById(id);
const form = find("fault");
let latest = { kinds: {} };

/** An element with text or children; text is never read as HTML, since names come from clients. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

async function ask(method, path, body) {
  const answer = await fetch(`/_localcloud${path}`, { method, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

/** Do something on the control side, then show what is so now. */
async function act(method, path, body) {
  try {
    await ask(method, path, body);
    find("message").textContent = "";
    await refresh();
  } catch (error) {
    find("message").textContent = error.message;
  }
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString();
}

function instanceRow(one, statuses) {
  const force = make("select", "", make("option", "", "…"), ...statuses.map((status) => make("option", "", status)));
  force.setAttribute("aria-label", `force a status on ${one.name || one.id}`);
  const set = make("button", "", "Set");
  set.setAttribute("aria-label", `set the status of ${one.name || one.id}`);
  set.addEventListener("click", () => force.selectedIndex && act("PATCH", `/instances/${one.id}`, { status: force.value }));
  const tone = one.status === "active" ? "good" : ["unhealthy", "preempted"].includes(one.status) ? "bad" : "";
  return make("tr", "",
    make("td", "", one.name || "", make("div", "id", one.id)), make("td", tone, one.status), make("td", "", one.ip || "–"),
    make("td", "", `${one.instance_type}, ${one.region}`), make("td", "", one.commands.join(", ") || "–"),
    make("td", "number", (one.price_cents_per_hour / 100).toFixed(2)), make("td", "", clock(one.since)),
    make("td", "", force, " ", set));
}

function requestRow(one) {
  const bad = one.status === null || one.status >= 400;
  return make("tr", "", make("td", "", clock(one.time)), make("td", "", one.operation),
    make("td", "", `${one.method} ${one.path}`), make("td", `number ${bad ? "bad" : ""}`, String(one.status ?? "cut off")),
    make("td", "number", one.milliseconds.toFixed(1)));
}

function options(select, names) {
  if ([...select.options].map((one) => one.value).join() === names.join()) return;
  select.replaceChildren(...names.map((name) => make("option", "", name)));
}

function offerKinds() {
  options(form.elements.kind, latest.kinds[form.elements.operation.value] || []);
}

function faultLine(one) {
  const parts = [
    one.probability === undefined ? null : `${Math.round(one.probability * 100)} % of calls`,
    one.times === undefined ? null : `${one.times} more`,
    one.seconds === undefined ? null : `${one.seconds} s`,
    one.instance === undefined ? null : `machine ${one.instance}`,
  ];
  return make("li", "", `${one.operation}: ${one.kind}, ${parts.filter((part) => part !== null).join(", ")}`);
}

function budgetLine(budget) {
  if (budget === null) return "no rate limit";
  if (budget.banned_seconds > 0) return `banned for ${budget.banned_seconds.toFixed(0)} s more`;
  return `${budget.requests.toFixed(1)} requests and ${budget.launches.toFixed(1)} launches may be sent now`;
}

let shownInstances = "";
function show(now) {
  latest = now;
  find("summary").textContent = `${now.instances.length} instances, $${(now.cents_per_hour / 100).toFixed(2)} an hour`;
  // Rows are replaced only when something changed, so that nobody loses the control that they are at.
  const instances = JSON.stringify(now.instances);
  if (instances !== shownInstances) {
    find("instances").replaceChildren(...now.instances.map((one) => instanceRow(one, now.statuses)));
    shownInstances = instances;
  }
  find("budget").textContent = budgetLine(now.budget);
  options(form.elements.operation, Object.keys(now.kinds));
  offerKinds();
  find("faults").replaceChildren(...now.faults.map(faultLine));
  find("requests").replaceChildren(...now.requests.map(requestRow));
}

async function refresh() {
  show(await ask("GET", "/overview"));
}

async function live() {
  try {
    if (!document.hidden) await refresh();
    document.body.dataset.live = "yes";
  } catch {
    document.body.dataset.live = "no";
    find("summary").textContent = "The local cloud does not answer.";
  }
  setTimeout(live, POLL_MILLISECONDS);
}

form.elements.operation.addEventListener("change", offerKinds);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { operation, kind, times, seconds } = form.elements;
  const timing = seconds.value === "" ? {} : { seconds: Number(seconds.value) };
  act("POST", "/faults", { operation: operation.value, kind: kind.value, times: Number(times.value), ...timing });
});
find("clear-faults").addEventListener("click", () => act("DELETE", "/faults"));
live();
