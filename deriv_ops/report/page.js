"use strict";
// Puts the page together and listens to its controls.

const by = (id) => document.getElementById(id);
const SHOWN = 100; // Found names in the list at once.

async function show() {
  const model = new Model(await unpack(by("data")));
  const made = new Date(model.made * 1000).toLocaleString();
  by("subtitle").textContent = model.run
    ? `Run of ${new Date(model.run.about.started * 1000).toLocaleString()}` +
      `, which ${model.run.outcome}; as of ${made}`
    : `No run is recorded; results as of ${made}`;

  const graph = new Graph(model, by("graph"), (node, group) => {
    showDetails(model, node, group, by("details"), select);
    by("focus").disabled = node == null && !graph?.only;
  });
  const select = (node) => {
    graph.select(node, true);
    by("graph-section").scrollIntoView({ block: "nearest" });
  };
  showDetails(model, null, null, by("details"), select);
  showSummary(model, by("summary-section"));
  showOperators(model, by("operators"), select);
  showCritical(model, by("critical"), select);
  showSlowest(model, by("slowest"), select);
  showFailures(model, by("failures"), select);
  showEnvironment(model, by("environment"));
  const timeline = model.run ? new Timeline(model, by("timeline"), select) : null;
  if (!timeline) by("timeline-section").hidden = true;
  const legends = () => {
    if (timeline) by("timeline-legend").replaceChildren(...timeline.legend());
    by("legend").replaceChildren(...graphLegend(model, graph.colour));
  };
  legends();

  by("grouping").onchange = (event) => graph.group(event.target.value);
  by("colour").onchange = (event) => {
    graph.colour = event.target.value;
    graph.paint();
    legends();
  };
  by("collapse").onclick = () => graph.collapse();
  by("fit").onclick = () => graph.fit(true);
  const focus = (on) => {
    by("focus").setAttribute("aria-pressed", on);
    graph.focus(on ? by("up").valueAsNumber || 0 : null, by("down").valueAsNumber || 0);
    by("focus").disabled = graph.selected == null;
  };
  by("focus").onclick = () => focus(!graph.only);
  for (const id of ["up", "down"]) by(id).onchange = () => graph.only && focus(true);
  listenToSearch(model, select);

  const restyle = () => { graph.restyle(); timeline?.draw(); legends(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  addEventListener("resize", () => timeline?.draw());
  // On paper the graph is a picture, as it stands on the screen, and all is light: by a class, as
  // the media is still the screen when the picture is made.
  const print = (on) => {
    document.documentElement.classList.toggle("printing", on);
    restyle();
    if (!on) return;
    // The pages are laid out, and counted, before the picture is decoded.
    const { w, h } = graph.cy.elements().boundingBox();
    by("graph-print").style.setProperty("--shape", w / h);
    by("graph-print").src = graph.cy.png({ scale: 2, full: true, maxWidth: 4000, maxHeight: 3000 });
  };
  // Told of the change of media, a browser has counted the pages already.
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));

  window.report = { model, graph, timeline };
  document.body.dataset.ready = performance.now().toFixed();
}

function graphLegend(model, kind) {
  if (kind === "state") {
    const present = new Set(model.nodes.state);
    return model.states.flatMap((name, at) => (present.has(at) ? legendEntry(`var(--state-${at})`, name) : []));
  }
  const [low, high] = kind === "missing" ? ["none", "all missing"]
    : model.durations.every(isFinite) ? model.durations.map(seconds) : [];
  const scale = element("i", { className: "scale" });
  return [...(low ? [low, scale, high] : []), legendEntry("var(--state-2)", "not known")];
}

function listenToSearch(model, select) {
  const [field, results] = [by("search"), by("results")];
  const hide = () => { results.hidden = true; };
  const choose = (node) => { hide(); select(node); };
  field.oninput = () => {
    const found = model.search(field.value);
    const count = found.length.toLocaleString("en");
    const told = !found.length ? "None has such a name." : found.length > SHOWN
      ? `The first ${SHOWN} of ${count}; type more of the name.` : `${count} found.`;
    results.replaceChildren(element("p", { className: "quiet" }, told),
      ...found.slice(0, SHOWN).map((node) => {
        const button = element("button", { type: "button" }, model.nodes.label[node]);
        button.role = "option";
        button.onclick = () => choose(node);
        return button;
      }));
    results.hidden = !field.value.trim();
  };
  field.onfocus = () => field.oninput();
  field.onkeydown = (event) => {
    if (event.key === "Enter") results.querySelector("button")?.click();
  };
  // Up and down through the field and what was found.
  results.parentElement.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [field, ...results.querySelectorAll("button")];
    const at = stops.indexOf(document.activeElement);
    if (event.key === "Escape") hide();
    if (!step || at < 0 || results.hidden) return;
    event.preventDefault();
    stops[(at + step + stops.length) % stops.length].focus();
  });
  document.addEventListener("click", (event) => {
    if (!results.contains(event.target) && event.target !== field) hide();
  });
}

show();
