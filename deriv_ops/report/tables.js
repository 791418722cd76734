"use strict";
// Tiles and tables: summary, operators, slowest, critical path, failures, environment.

// A table whose head sorts it. Columns: {title, value(row), show(row), number, bar}.
function table(rows, columns, sortBy) {
  const body = element("tbody");
  let sorted = columns[sortBy], down = true;
  const largest = new Map(
    columns.filter((c) => c.bar).map((c) => [c, Math.max(...rows.map(c.value), 1e-9)]));
  const fill = () => {
    if (sorted) {
      rows.sort((a, b) => {
        const [x, y] = [sorted.value(a), sorted.value(b)];
        return (x > y ? 1 : x < y ? -1 : 0) * (down ? -1 : 1);
      });
    }
    body.replaceChildren(...rows.map((row) => element("tr", {}, ...columns.map((column) => {
      const cell = element("td", { className: column.number ? "number" : column.bar ? "bar" : "" });
      if (column.bar) {
        const bar = element("span");
        bar.style.width = `${100 * column.value(row) / largest.get(column)}%`;
        cell.append(bar);
      } else cell.append(column.show ? column.show(row) : column.value(row));
      return cell;
    }))));
  };
  const head = element("tr", {}, ...columns.map((column) => {
    const button = element("button", { type: "button" }, column.title);
    button.onclick = () => {
      down = sorted === column ? !down : Boolean(column.number);
      sorted = column;
      fill();
    };
    return element("th", { className: column.number ? "number" : "" }, column.bar ? "" : button);
  }));
  fill();
  return element("table", {}, element("thead", {}, head), body);
}

function nodeLink(model, node, select) {
  const link = element("button", { type: "button", className: "link" }, model.nodes.name[node]);
  link.onclick = () => select(node);
  return link;
}

function showSummary(model, target) {
  const tile = (value, text, bad = false) =>
    target.append(element("div", { className: bad ? "tile bad" : "tile" },
      element("b", {}, String(value)), element("span", { className: "quiet" }, text)));
  const states = model.states.map((_, at) => model.nodes.state.filter((s) => s === at).length);
  tile(model.count.toLocaleString("en"), "derivations");
  model.states.forEach((name, at) => {
    if (at === 0 || states[at]) tile(states[at].toLocaleString("en"), name, at === 3);
  });
  const { run } = model;
  if (!run) return;
  const { jobs, about, end } = run;
  const latest = Math.max(0, ...jobs.start.map((start, at) => (start ?? 0) + jobs.wall[at]));
  const wall = end.ended ? end.ended - about.started : latest;
  const busy = sum(jobs.wall);
  const threads = sum(about.machines.map((machine) => machine.threads));
  const over = sum(jobs.handed_over), read = sum(jobs.read);
  tile(seconds(wall), end.ended ? "took the run" : "until the last job that ended");
  tile(jobs.rule.length.toLocaleString("en"), `jobs of ${about.jobs.toLocaleString("en")}`);
  tile(seconds(busy), `in jobs, ${(busy / wall || 0).toFixed(1)} at a time of ${threads}`);
  if (model.critical) tile(seconds(model.critical.seconds), "on the critical path");
  tile(bytes(sum(jobs.written)), "written");
  tile(bytes(over), `handed over, ${percent(over / (over + read) || 0)} of reads`);
  tile(bytes(Math.max(0, ...jobs.max_rss)), "the largest job's memory");
}

function showOperators(model, target, select) {
  const groups = new Map();
  model.run?.jobs.rule.forEach((rule, job) => {
    const node = model.run.jobs.node[job];
    const name = node < 0 ? rule : model.operatorName(node);
    groups.set(name, [...(groups.get(name) ?? []), job]);
  });
  if (!groups.size) return void target.append("No run is recorded.");
  const { jobs } = model.run;
  const rows = [...groups].map(([name, members]) => ({
    name, count: members.length, total: sum(members.map((job) => jobs.wall[job])),
    slowest: members.reduce((a, b) => (jobs.wall[b] > jobs.wall[a] ? b : a)),
    cpu: sum(members.map((job) => jobs.cpu[job])),
    read: sum(members.map((job) => jobs.read[job])),
    over: sum(members.map((job) => jobs.handed_over[job])),
    written: sum(members.map((job) => jobs.written[job])),
    memory: Math.max(...members.map((job) => jobs.max_rss[job])),
  }));
  const number = (title, value, show) =>
    ({ title, value, show: (row) => show(value(row)), number: true });
  target.append(table(rows, [
    { title: "Operator", value: (row) => row.name },
    number("Jobs", (row) => row.count, String),
    number("Total", (row) => row.total, seconds),
    { title: "", value: (row) => row.total, bar: true },
    number("Mean", (row) => row.total / row.count, seconds),
    number("CPU", (row) => row.cpu, seconds),
    number("Slowest", (row) => jobs.wall[row.slowest], seconds),
    { title: "which is", value: (row) => jobs.rule[row.slowest],
      show: (row) => jobs.node[row.slowest] < 0 ? jobs.rule[row.slowest]
        : nodeLink(model, jobs.node[row.slowest], select) },
    number("Read", (row) => row.read, bytes),
    number("Handed over", (row) => row.over, bytes),
    number("Written", (row) => row.written, bytes),
    number("Memory", (row) => row.memory, bytes),
  ], 2));
}

function showDurations(model, nodes, target, select, sortBy) {
  target.append(table(nodes, [
    { title: "Derivation", value: (node) => model.nodes.name[node],
      show: (node) => nodeLink(model, node, select) },
    { title: "Operator", value: (node) => model.operatorName(node) },
    { title: "Took", value: (node) => model.seconds(node),
      show: (node) => seconds(model.seconds(node)), number: true },
    { title: "", value: (node) => model.seconds(node), bar: true },
  ], sortBy));
}

function showCritical(model, target, select) {
  if (!model.critical) return void target.append("No run is recorded.");
  const { nodes, seconds: total } = model.critical;
  const work = sum([...model.job].filter((job) => job >= 0).map((job) => model.run.jobs.wall[job]));
  target.append(element("p", { className: "quiet" },
    `${nodes.length} derivations that wait for one another take ${seconds(total)}: no number of ` +
    `workers makes the run shorter than that, ${(work / total || 1).toFixed(1)} times faster than ` +
    `one worker's ${seconds(work)}.`));
  showDurations(model, nodes, target, select);
}

function showSlowest(model, target, select) {
  const run = [...model.job.keys()].filter((node) => model.job[node] >= 0);
  run.sort((a, b) => model.seconds(b) - model.seconds(a));
  if (!run.length) return void target.append("No run is recorded.");
  showDurations(model, run.slice(0, 25), target, select, 2);
}

function showFailures(model, target, select) {
  const jobs = model.run?.jobs;
  const shown = jobs ? jobs.rule.keys().filter((job) => !jobs.ok[job] || jobs.attempt[job] > 1) : [];
  for (const job of shown) {
    const node = jobs.node[job];
    const log = model.run.logs[job];
    target.append(element("details", { open: !jobs.ok[job], className: "failure" },
      element("summary", {}, node < 0 ? jobs.rule[job] : nodeLink(model, node, select),
        `, attempt ${jobs.attempt[job]}: ${jobs.ok[job] ? "went well" : "failed"}`),
      jobs.error[job] ? element("pre", {}, jobs.error[job].trim()) : null,
      log ? element("p", { className: "quiet" }, `The end of ${node < 0 ? "its log" : model.nodes.log[node]}:`) : null,
      log ? element("pre", {}, log) : null));
  }
  if (!target.hasChildNodes()) target.append(model.run ? "None." : "No run is recorded.");
}

function definitions(pairs) {
  return element("dl", {}, ...pairs.filter(([, value]) => value !== "" && value != null)
    .flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]));
}

function showEnvironment(model, target) {
  const about = model.run?.about;
  const versions = { ...model.versions, ...about?.versions };
  target.append(definitions([
    ["Command", about && element("code", {}, model.run.command)],
    ["Folder", about?.folder], ["Results", model.results], ["Record", model.run?.record],
    ["Host", about && `${about.host}, ${about.platform}`],
    ["Workers", about && about.cluster],
    ["Versions", Object.entries(versions).map(([name, text]) => `${name} ${text}`).join(", ")],
    ["Configuration", about && element("code", {}, JSON.stringify(about.config))],
  ]));
}
