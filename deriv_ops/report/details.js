"use strict";
// What is selected: a derivation, or a group of them.

function showDetails(model, node, group, target, select) {
  target.replaceChildren();
  if (node != null) return derivationDetails(model, node, target, select);
  if (group) return groupDetails(model, group, target, select);
  target.append(element("p", { className: "quiet screen-only" },
    "Click a group to open it, its frame to close it, a derivation to see what it is made of, " +
    "what is made of it, and what it holds. Drag to move, turn the wheel to zoom."));
}

function pill(model, state) {
  const made = element("span", { className: "pill" }, model.states[state]);
  made.style.background = `var(--state-${state})`;
  return made;
}

function links(model, title, nodes, target, select) {
  if (!nodes.length) return;
  target.append(element("h4", {}, `${title} (${nodes.length})`));
  const shown = nodes.slice(0, 12);
  shown.forEach((node) => target.append(element("div", {}, nodeLink(model, node, select))));
  if (nodes.length > shown.length) {
    const more = element("button", { type: "button" }, `${nodes.length - shown.length} more`);
    more.onclick = () => more.replaceWith(...nodes.slice(12).map((node) =>
      element("div", {}, nodeLink(model, node, select))));
    target.append(more);
  }
}

function derivationDetails(model, node, target, select) {
  const { nodes } = model;
  const operator = model.operators[nodes.operator[node]];
  const parents = nodes.parents[node].map((at) => nodes.name[at]);
  const params = Object.entries(nodes.params[node]).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const summary = nodes.summary[node];
  target.append(
    element("h3", {}, nodes.label[node]), pill(model, nodes.state[node]),
    element("pre", { className: "formula" }, `${operator ? operator.name : "file"}(${[...parents, ...params].join(", ")})`));
  if (nodes.reasons[node].length) {
    target.append(element("p", {}, `Would be made again: ${nodes.reasons[node].join("; ")}.`));
  }
  if (operator) {
    target.append(element("details", {},
      element("summary", {}, ...codeMarks(operator.doc.split("\n")[0])),
      element("pre", {}, operator.call, "\n\n", ...codeMarks(operator.doc))));
  }
  showPictures(summary, target);
  target.append(element("h4", {}, "Result"), definitions([
    ["size", summary.rows != null ? `${summary.rows} x ${summary.columns}` : "not made yet"],
    ["missing", percent(summary.missing)],
    ["file", nodes.file[node]], ["log", nodes.log[node]], ["catalog", nodes.place[node]],
  ]));
  jobDetails(model, node, target);
  links(model, "Made of", nodes.parents[node], target, select);
  links(model, "Used by", model.children[node], target, select);
}

// Docstrings mark code by single or double backticks.
function codeMarks(text) {
  return text.split(/``(.+?)``|`(.+?)`/s).filter((part) => part != null)
    .map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

// The last job that made it; of this run also what it said.
function jobDetails(model, node, target) {
  const { last, run, records } = model;
  const job = model.job[node];
  if (last?.wall[node] != null) {
    const of = (key) => last[key]?.[node];
    const when = of("started") && new Date(of("started") * 1000).toLocaleString();
    target.append(element("h4", {}, job < 0 ? "Last job, of a former run" : "Job of this run"),
      definitions([
        ["when", when],
        ["began", job < 0 || run.jobs.start[job] == null ? "" : `after ${seconds(run.jobs.start[job])}`],
        ["took", `${seconds(of("wall"))}${of("cpu") == null ? "" : `, ${seconds(of("cpu"))} of CPU`}`],
        ["memory", bytes(of("max_rss"))],
        ["read", of("read") == null ? "" : `${bytes(of("read"))}, and ${bytes(of("handed_over"))} handed over`],
        ["written", bytes(of("written"))],
        ["attempt", of("attempt") > 1 ? String(of("attempt")) : ""],
        ["worker", job < 0 ? [of("host"), of("worker")].filter(Boolean).join(" ")
          : run.workers[run.jobs.worker[job]]],
        ["record", job < 0 ? records?.[of("record")] : ""],
      ]));
  }
  if (job < 0) return;
  if (run.jobs.error[job]) target.append(element("pre", {}, run.jobs.error[job].trim()));
  if (run.logs[job]) target.append(element("pre", {}, run.logs[job]));
}

function groupDetails(model, group, target, select) {
  const counts = model.states.map((_, state) =>
    group.members.filter((node) => model.nodes.state[node] === state).length);
  const took = group.members.map((node) => model.seconds(node)).filter((s) => s != null);
  target.append(element("h3", {}, group.label));
  counts.forEach((count, state) => {
    if (count) target.append(pill(model, state), ` ${count} `);
  });
  target.append(definitions([
    ["derivations", String(group.members.length)],
    ["took", took.length ? `${seconds(sum(took))} together, ${seconds(sum(took) / took.length)} each` : ""],
  ]));
  links(model, "Holds", group.members, target, select);
}
