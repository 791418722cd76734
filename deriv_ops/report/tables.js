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

function nodeLink(model, node, select, longest = Infinity) {
  const name = model.nodes.name[node];
  const link = element("button", { type: "button", className: "link" }, middle(name, longest));
  if (name.length > longest) link.title = name;
  link.onclick = () => select(node);
  return link;
}

function showSummary(model, target) {
  const number = (value) => value.toLocaleString("en");
  const tile = (value, text, kind = "") =>
    target.append(element("div", { className: `tile ${kind}` },
      element("b", {}, String(value)), element("span", { className: "quiet" }, text)));
  const { run } = model;
  if (run) {
    const kind = { succeeded: "good", "goes on": "", "goes on or died": "" }[run.outcome] ?? "bad";
    tile(run.outcome, "the run", `outcome ${kind}`);
  }
  const tables = model.nodes.operator.filter((at) => at < 0).length;
  tile(number(model.count - tables), `derivations, of ${number(tables)} input tables`);
  model.states.forEach((name, at) => {
    const count = model.nodes.state.filter((state) => state === at).length;
    if (at === 0 || count) tile(number(count), name, name === "failed" ? "bad" : "");
  });
  if (!run) return;
  const { jobs, about, end } = run;
  const latest = Math.max(0, ...jobs.start.map((start, at) => (start ?? 0) + jobs.wall[at]));
  const wall = end.ended ? end.ended - about.started : latest;
  const busy = sum(jobs.wall);
  const threads = sum((about.machines ?? []).map((machine) => machine.threads));
  const known = (values) => values.some((value) => value != null);
  tile(seconds(wall), end.ended ? "took the run" : "until the last job that ended");
  tile(number(jobs.rule.length), `jobs of ${number(about.jobs)}` +
    (run.running?.length ? `, ${number(run.running.length)} run` : ""));
  tile(seconds(busy), `in jobs, ${(busy / wall || 0).toFixed(1)} at a time` +
    (threads ? ` of ${number(threads)} threads` : ""));
  if (model.critical?.seconds) tile(seconds(model.critical.seconds), "on the critical path");
  if (known(jobs.written)) tile(bytes(sum(jobs.written)), "written");
  if (known(jobs.handed_over)) {
    const [hits, inputs] = [sum(jobs.hits ?? []), sum(jobs.inputs ?? [])];
    const over = sum(jobs.handed_over), read = sum(jobs.read);
    if (inputs) tile(percent(hits / inputs), `of ${number(inputs)} inputs handed over, ${bytes(over)}`);
    else tile(bytes(over), `handed over, ${percent(over / (over + read) || 0)} of reads`);
  }
  if (known(jobs.max_rss)) tile(bytes(Math.max(...jobs.max_rss)), "the largest job's memory");
}

function showOperators(model, target, select) {
  const groups = new Map();
  model.run?.jobs.rule.forEach((rule, job) => {
    const node = model.run.jobs.node[job];
    const name = node < 0 ? rule : model.operatorName(node);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(job);
  });
  if (!groups.size) return void target.append("No run is recorded.");
  const { jobs } = model.run;
  const rows = [...groups].map(([name, members]) => {
    const total = (key) => sum(members.map((job) => jobs[key]?.[job] ?? 0));
    const memory = members.map((job) => jobs.max_rss[job]).filter((value) => value != null);
    return {
      name, count: members.length, total: total("wall"),
      slowest: members.reduce((a, b) => (jobs.wall[b] > jobs.wall[a] ? b : a)),
      cpu: total("cpu"), read: total("read"), over: total("handed_over"), written: total("written"),
      hits: total("inputs") ? total("hits") / total("inputs") : null,
      usual: memory.length ? sum(memory) / memory.length : null, memory: Math.max(0, ...memory),
    };
  });
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
        : nodeLink(model, jobs.node[row.slowest], select, 24) },
    number("Read", (row) => row.read, bytes),
    number("Handed over", (row) => row.over, bytes),
    ...(jobs.hits ? [number("Hits", (row) => row.hits, percent)] : []),
    number("Written", (row) => row.written, bytes),
    number("Memory", (row) => row.usual, bytes),
    number("at most", (row) => row.memory, bytes),
  ], 2));
}

// Rows are {rule, node, seconds}; what isn't in the catalog has no node.
function showDurations(model, rows, target, select, sortBy) {
  target.append(table(rows, [
    { title: "Derivation", value: (row) => row.rule,
      show: (row) => (row.node < 0 ? row.rule : nodeLink(model, row.node, select, 44)) },
    { title: "Operator", value: (row) => (row.node < 0 ? "" : model.operatorName(row.node)) },
    { title: "Took", value: (row) => row.seconds, show: (row) => seconds(row.seconds), number: true },
    { title: "", value: (row) => row.seconds, bar: true },
  ], sortBy));
}

function showCritical(model, target, select) {
  if (!model.critical?.seconds) return void target.append("No job has ended.");
  const { jobs: chain, seconds: total, work } = model.critical;
  const { jobs } = model.run;
  target.append(element("p", { className: "quiet" },
    `${chain.length} jobs that wait for one another take ${seconds(total)}: no number of ` +
    `workers makes the run shorter than that, ${(work / total || 1).toFixed(1)} times faster than ` +
    `one worker's ${seconds(work)}.`));
  showDurations(model, chain.map((job) => ({ rule: jobs.rule[job], node: jobs.node[job],
    seconds: jobs.wall[job] })), target, select);
}

function showSlowest(model, target, select) {
  const made = [...model.nodes.name.keys()].filter((node) => model.seconds(node) != null)
    .map((node) => ({ rule: model.nodes.name[node], node, seconds: model.seconds(node) }))
    .sort((a, b) => b.seconds - a.seconds);
  if (!made.length) return void target.append("No run is recorded.");
  showDurations(model, made.slice(0, 25), target, select, 2);
}

// Of a traceback the message, else the last line; without the names of the job.
function message(error, ...names) {
  const lines = error.trim().split("\n").filter((line) => line.trim());
  const told = lines.findLast((line) => !/^\s/.test(line)) ?? "no message";
  // Names are letters, digits, underscores, and dots.
  return names.filter(Boolean).reduce((text, name) =>
    text.replace(new RegExp(`(?<![\\w.])${name.replaceAll(".", "\\.")}(?!\\w)`, "g"), "…"), told);
}

// One entry for each message, however many jobs it stopped.
function showFailures(model, target, select) {
  const { jobs, logs, paths } = model.run ?? { jobs: { rule: [] } };
  const groups = new Map();
  jobs.rule.forEach((rule, job) => {
    if (jobs.ok[job] && jobs.attempt[job] === 1) return;
    const label = model.nodes.label[jobs.node[job]];
    const key = jobs.ok[job] ? "Went well at a later attempt"
      : message(jobs.error[job] || "no message", label, rule);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(job);
  });
  const sorted = [...groups].sort(([, a], [, b]) => jobs.ok[a[0]] - jobs.ok[b[0]] || b.length - a.length);
  sorted.forEach(([text, members], at) => {
    const [first] = members;
    const node = jobs.node[first];
    const count = `${members.length.toLocaleString("en")} ${members.length > 1 ? "jobs" : "job"}`;
    const entry = element("details", { open: at < 3 && !jobs.ok[first], className: "failure" },
      element("summary", {}, element("b", {}, count), `: ${middle(text, 240)}`));
    if (!jobs.ok[first]) {
      const path = paths?.[first] ?? model.nodes.log[node];
      const one = members.length > 1 ? "The first" : "It";
      entry.append(element("p", {}, `${one} is `, node < 0 ? jobs.rule[first] : nodeLink(model, node, select),
        `, attempt ${jobs.attempt[first]}`, ...(path ? [". Its log is ", element("code", {}, path)] : []), ":"));
      if (jobs.error[first]) entry.append(element("pre", { className: "scroll" }, jobs.error[first].trim()));
      if (logs[first]) {
        entry.append(element("p", { className: "quiet" }, "The end of the log:"),
          element("pre", { className: "scroll" }, logs[first]));
      }
    }
    const others = members.map((job) => jobs.node[job]).filter((n) => n >= 0);
    if (members.length > 1) links(model, "Derivations", others, entry, select);
    target.append(entry);
  });
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
