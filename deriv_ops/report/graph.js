"use strict";
// The graph of the catalog: groups that open at a click, drawn by cytoscape.

const LONGEST = 34; // Characters of a label; longer ones are cut.
const SMALL = 60; // Of so many derivations or fewer all are shown at once.

class Graph {
  constructor(model, container, onSelect) {
    this.model = model;
    this.onSelect = onSelect;
    this.open = new Set();
    this.selected = null;
    this.only = null; // the nodes that are shown when not all are
    this.colour = "state";
    this.cy = cytoscape({
      container, style: this.style(), layout: { name: "preset" },
      minZoom: 0.02, maxZoom: 3, boxSelectionEnabled: false, autoungrabify: true,
      hideEdgesOnViewport: model.count > 1000, textureOnViewport: true,
    });
    this.cy.on("tap", (event) => this.tapped(event.target));
    this.group("folder");
  }

  // Groups are {id, label, members, groups}; the last level has no groups, only members.
  group(by) {
    const { nodes, folders, operators, maps } = this.model;
    const top = { folder: (n) => folders[nodes.folder[n]] || "/", map: () => null,
      operator: (n) => this.model.operatorName(n) }[by];
    this.groups = new Map();
    this.path = nodes.name.map((name, node) => {
      const path = [];
      const first = top(node), map = nodes.map[node];
      if (first != null) path.push(this.member(`g:${first}`, first, node));
      if (map >= 0) path.push(this.member(`m:${nodes.folder[node]}:${map}`, maps[map], node));
      return path;
    });
    this.open = new Set();
    if (this.model.count <= SMALL) this.groups.forEach((_, id) => this.open.add(id));
    this.render();
  }

  member(id, label, node) {
    if (!this.groups.has(id)) this.groups.set(id, { id, label, members: [] });
    this.groups.get(id).members.push(node);
    return id;
  }

  isShown(node) {
    return !this.only || this.only.has(node);
  }

  // What stands for a node: itself, or the first of its groups that is closed.
  chain(node) {
    const chain = [];
    for (const id of this.path[node]) {
      chain.push(id);
      if (!this.isOpen(id)) return chain;
    }
    return [...chain, `n:${node}`];
  }

  isOpen(id) {
    return this.only && this.only.size <= SMALL ? true : this.open.has(id);
  }

  render() {
    const { nodes } = this.model;
    const chains = nodes.name.map((_, node) => (this.isShown(node) ? this.chain(node) : null));
    this.stands = chains.map((chain) => chain?.at(-1));
    const made = new Map(), roots = [];
    chains.forEach((chain, node) => chain?.forEach((id, depth) => {
      if (made.has(id)) return;
      const box = this.box(id, node, chain[depth - 1]);
      made.set(id, box);
      if (depth) (made.get(chain[depth - 1]).boxes ??= []).push(box);
      else roots.push(box);
    }));
    const drawn = new Map(), within = new Map();
    nodes.parents.forEach((parents, node) => chains[node] && parents.forEach((parent) => {
      if (!chains[parent]) return;
      const [a, b] = [chains[parent], chains[node]];
      let depth = 0;
      while (depth < a.length && a[depth] === b[depth]) depth++;
      if (depth >= a.length || depth >= b.length) return; // within one closed group
      within.set(`${a[depth]}>${b[depth]}`, [a[depth], b[depth], a[depth - 1] ?? null]);
      const key = `${a.at(-1)}>${b.at(-1)}`;
      drawn.set(key, { source: a.at(-1), target: b.at(-1), weight: (drawn.get(key)?.weight ?? 0) + 1 });
    }));
    const places = layOut(roots, [...within.values()]);
    const elements = [...made.values()].map((box) => {
      const at = places.get(box.id);
      return { group: "nodes", data: { ...box.data, width: at.width, height: at.height },
        classes: box.classes, position: { x: at.x, y: at.y } };
    });
    drawn.forEach((data, key) => elements.push({ group: "edges",
      data: { id: key, ...data, width: 1 + Math.log2(data.weight) / 2 } }));
    this.cy.batch(() => { this.cy.elements().remove(); this.cy.add(elements); });
    this.paint();
    this.highlight();
    this.cy.fit(this.cy.nodes(), 24);
    if (this.cy.zoom() > 1.2) { this.cy.zoom(1.2); this.cy.center(); }
  }

  box(id, node, parent) {
    const group = this.groups.get(id);
    const members = group ? group.members.filter((n) => this.isShown(n)) : [node];
    const opened = group && this.isOpen(id);
    const { nodes, maps } = this.model;
    let label = nodes.name[node];
    if (!group && parent?.startsWith("m:")) {
      label = label.slice(maps[nodes.map[node]].length + 2); // the map's name stands above
    }
    if (group) label = `${group.label} (${members.length})`;
    if (label.length > LONGEST) label = `${label.slice(0, LONGEST - 1)}…`;
    const width = Math.max(60, 20 + (group ? 8.6 : 6.6) * label.length);
    return {
      id, width, height: group ? 34 : 24, boxes: opened ? [] : undefined,
      data: { id, label, members, depth: parent ? 1 : 0 },
      classes: opened ? "opened" : group ? "closed" : "leaf",
    };
  }

  tapped(target) {
    if (target === this.cy) return this.select(null);
    if (!target.isNode()) return;
    const id = target.id();
    if (!this.groups.has(id)) return this.select(Number(id.slice(2)));
    this.toggle(id);
  }

  toggle(id) {
    if (!this.open.has(id)) this.reveal(this.groups.get(id).members[0], id);
    else {
      this.open.delete(id);
      this.closeUnopened();
    }
    this.render();
    this.lookAt(id);
    this.onSelect(null, this.groups.get(id));
  }

  // Open the groups of a node, down to one of them. In a large catalog their siblings close, so that
  // what is shown stays readable, and fast.
  reveal(node, last) {
    const path = this.path[node];
    const opened = path.slice(0, last ? path.indexOf(last) + 1 : path.length);
    if (this.model.count > SMALL) this.open = new Set(opened);
    else opened.forEach((id) => this.open.add(id));
  }

  // What is inside of a closed group is closed with it.
  closeUnopened() {
    for (const path of this.path) {
      const closed = path.findIndex((id) => !this.open.has(id));
      if (closed >= 0) path.slice(closed).forEach((id) => this.open.delete(id));
    }
  }

  // As near as it can be read, and no further away than all of it.
  lookAt(id) {
    const found = this.cy.getElementById(id);
    if (found.empty() || this.cy.zoom() >= 0.7) return;
    const whole = this.cy.zoom();
    this.cy.fit(found, 60);
    this.cy.zoom({ level: Math.max(whole, Math.min(this.cy.zoom(), 1)), position: found.position() });
    this.cy.center(found);
  }

  collapse() {
    this.open.clear();
    this.render();
  }

  // Select a derivation; it is shown if it is in closed groups.
  select(node, look = false) {
    this.selected = node;
    if (node != null && (look || !this.isShown(node))) {
      if (!this.isShown(node)) this.only = null;
      if (this.stands[node] === `n:${node}`) this.highlight();
      else {
        this.reveal(node);
        this.render();
      }
      this.lookAt(`n:${node}`);
    } else this.highlight();
    this.onSelect(node);
  }

  // Show only the neighbours of the selected derivation, or all again.
  focus(up, down) {
    this.only = null;
    if (this.selected != null && up != null) {
      this.only = new Set([this.selected, ...this.model.ancestors(this.selected, up),
        ...this.model.descendants(this.selected, down)]);
    }
    this.render();
  }

  highlight() {
    const node = this.selected;
    this.cy.batch(() => {
      this.cy.elements().removeClass("up down chosen faded");
      if (node == null) return;
      const up = this.model.ancestors(node), down = this.model.descendants(node);
      const ids = (set) => new Set([...set].map((n) => this.stands[n]).filter(Boolean));
      const [above, below, own] = [ids(up), ids(down), this.stands[node]];
      this.cy.nodes(".leaf, .closed").forEach((box) => {
        const id = box.id();
        if (id === own) box.addClass("chosen");
        else if (above.has(id)) box.addClass("up");
        else if (below.has(id)) box.addClass("down");
        else box.addClass("faded");
      });
      this.cy.edges().forEach((edge) => {
        const [from, to] = [edge.data("source"), edge.data("target")];
        if (above.has(from) && (above.has(to) || to === own)) edge.addClass("up");
        else if (below.has(to) && (below.has(from) || from === own)) edge.addClass("down");
        else edge.addClass("faded");
      });
    });
  }

  // Colour the boxes: by state in shares, else by the mean.
  paint() {
    const theme = this.theme();
    this.cy.batch(() => this.cy.nodes(".leaf, .closed").forEach((box) => {
      const members = box.data("members");
      if (this.colour === "state") {
        const counts = theme.states.map((_, s) => members.filter((n) => this.model.nodes.state[n] === s).length);
        const stops = [], positions = [];
        let until = 0;
        counts.forEach((count, state) => {
          if (!count) return;
          stops.push(theme.states[state], theme.states[state]);
          positions.push(`${until}%`, `${until += 100 * count / members.length}%`);
        });
        box.data({ stops: stops.join(" "), positions: positions.join(" "), text: "#fff" });
      } else {
        const level = this.level(members);
        const fill = level == null ? theme.states[2] : mix(theme.low, theme.high, level);
        box.data({ stops: `${fill} ${fill}`, positions: "0% 100%",
          text: luminance(fill) > 0.45 ? "#10151f" : "#fff" });
      }
    }));
  }

  level(members) {
    const duration = this.colour === "duration";
    const values = members.map((n) => (duration ? this.model.seconds(n) : this.model.missing(n)))
      .filter((value) => value != null);
    if (!values.length) return null;
    const mean = sum(values) / values.length;
    if (!duration) return mean;
    const [low, high] = this.scale ??= (() => {
      const all = [...this.model.job].filter((j) => j >= 0).map((j) => this.model.run.jobs.wall[j]);
      return [Math.log(Math.max(1e-3, Math.min(...all))), Math.log(Math.max(...all))];
    })();
    return Math.max(0, Math.min(1, (Math.log(Math.max(mean, 1e-3)) - low) / (high - low || 1)));
  }

  theme() {
    return { states: [0, 1, 2, 3].map((at) => colour(`state-${at}`)), low: colour("low"),
      high: colour("high"), text: colour("text"), quiet: colour("quiet"), soft: colour("soft"),
      line: colour("line"), edge: colour("edge"), up: colour("up"), down: colour("down"),
      accent: colour("accent") };
  }

  restyle() {
    this.cy.style(this.style());
    this.paint();
  }

  style() {
    const theme = this.theme();
    const mark = (name, fill) => [
      { selector: `node.${name}`, style: { "border-width": 3, "border-color": fill } },
      { selector: `edge.${name}`, style: { "line-color": fill, "target-arrow-color": fill,
        opacity: 0.9, "z-index": 2 } },
    ];
    return [
      { selector: "node", style: {
        shape: "round-rectangle", width: "data(width)", height: "data(height)", label: "data(label)",
        "font-size": 11, "font-family": "system-ui, sans-serif", "text-valign": "center" } },
      { selector: ".leaf, .closed", style: {
        "background-fill": "linear-gradient", "background-gradient-direction": "to-right",
        "background-gradient-stop-colors": "data(stops)",
        "background-gradient-stop-positions": "data(positions)", color: "data(text)",
        "border-width": 0, "z-index": 3 } },
      { selector: ".closed", style: { "font-size": 13, "font-weight": 600, "border-width": 1,
        "border-color": theme.text, "border-opacity": 0.35 } },
      { selector: ".opened", style: {
        "background-color": theme.soft, "background-opacity": 0.55, "border-width": 1,
        "border-color": theme.line, "text-valign": "top", "text-margin-y": 20, "font-weight": 600,
        color: theme.quiet, "z-index": 1, "z-compound-depth": "bottom" } },
      { selector: "edge", style: { width: "data(width)", "line-color": theme.edge, opacity: 0.7,
        "curve-style": "straight", "target-arrow-shape": "triangle", "arrow-scale": 0.7,
        "target-arrow-color": theme.edge } },
      { selector: "node.faded", style: { opacity: 0.28 } },
      { selector: "edge.faded", style: { opacity: 0.07 } },
      ...mark("up", theme.up), ...mark("down", theme.down), ...mark("chosen", theme.accent),
      { selector: "node.chosen", style: { "border-width": 4 } },
    ];
  }
}

function channels(text) {
  const [, r, g, b] = /^#(..)(..)(..)$/.exec(text);
  return [r, g, b].map((part) => parseInt(part, 16));
}

function mix(low, high, share) {
  const [a, b] = [channels(low), channels(high)];
  return "#" + a.map((v, at) => Math.round(v + (b[at] - v) * share).toString(16).padStart(2, "0")).join("");
}

function luminance(text) {
  const [r, g, b] = channels(text);
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}
