"use strict";
// Puts the page together and listens to its controls.

const by = (id) => document.getElementById(id);

async function show() {
  const model = new Model(await unpack(by("data")));
  const made = new Date(model.made * 1000).toLocaleString();
  by("subtitle").textContent = model.run
    ? `Run of ${new Date(model.run.about.started * 1000).toLocaleString()}` +
      `${model.run.end.ended ? "" : ", which goes on or was killed"}; as of ${made}`
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
  by("fit").onclick = () => graph.cy.fit(undefined, 24);
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
  // On paper the graph is a picture, as it stands on the screen, and all is light.
  const print = (on) => {
    if (timeline) timeline.printing = on;
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
  const entry = (background, text) => {
    const mark = element("i");
    mark.style.background = background;
    return [mark, text];
  };
  if (kind === "state") {
    const present = new Set(model.nodes.state);
    return model.states.flatMap((name, at) => (present.has(at) ? entry(`var(--state-${at})`, name) : []));
  }
  const [low, high] = kind === "duration" ? ["fast", "slow"] : ["none missing", "all"];
  return [...entry("var(--low)", low), ...entry("var(--high)", high),
    ...entry("var(--state-2)", "not known")];
}

function listenToSearch(model, select) {
  const [field, results] = [by("search"), by("results")];
  const hide = () => { results.hidden = true; };
  const choose = (node) => { hide(); select(node); };
  field.oninput = () => {
    const found = model.search(field.value, 30);
    results.replaceChildren(...found.map((node) => {
      const button = element("button", { type: "button" }, model.nodes.label[node]);
      button.onclick = () => choose(node);
      return button;
    }));
    results.hidden = !found.length;
  };
  field.onkeydown = (event) => {
    if (event.key === "Enter") results.firstChild?.click();
    if (event.key === "Escape") hide();
  };
  document.addEventListener("click", (event) => {
    if (!results.contains(event.target) && event.target !== field) hide();
  });
}

show();
