"use strict";
// The graph of the catalog: groups that open at a click, drawn by cytoscape.

const LONGEST = 34; // Characters of a label; longer ones lose their middle.
const SMALL = 60; // Of so many derivations or fewer all are shown at once.
const LEGIBLE = 0.75; // The zoom at which labels can still be read.

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
    // Labels may be cut; the whole name stands below the mouse.
    this.cy.on("mouseover", "node", (event) => { container.title = this.nameOf(event.target.id()); });
    this.cy.on("mouseout", "node", () => { container.title = ""; });
    this.group("folder");
  }

  // Groups are {id, label, members, groups}; the last level has no groups, only members.
  group(by) {
    const { nodes, folders, operators, maps } = this.model;
    const top = { folder: (n) => folders[nodes.folder[n]] || "/", map: () => null,
      operator: (n) => this.model.operatorName(n) }[by];
    // Several folders may have a Map of one name.
    const homes = maps.map(() => new Set());
    nodes.map.forEach((map, node) => map >= 0 && homes[map].add(nodes.folder[node]));
    const nameOf = (map, node) => by === "folder" || homes[map].size < 2 ? maps[map]
      : `${folders[nodes.folder[node]].replace(/^\//, "")}/${maps[map]}`;
    this.groups = new Map();
    this.path = nodes.name.map((name, node) => {
      const path = [];
      const first = top(node), map = nodes.map[node];
      if (first != null) path.push(this.member(`g:${first}`, first, node));
      if (map >= 0) path.push(this.member(`m:${nodes.folder[node]}:${map}`, nameOf(map, node), node));
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
    // The boxes where lines end: outside of a frame of many boxes, at the frame.
    const ends = (chain, depth) => {
      const at = chain.findIndex((id, place) => place >= depth && made.get(id).boxes?.length > SMALL);
      return at < 0 ? chain.at(-1) : chain[at];
    };
    const lines = new Map();
    nodes.parents.forEach((parents, node) => chains[node] && parents.forEach((parent) => {
      if (!chains[parent]) return;
      const [a, b] = [chains[parent], chains[node]];
      let depth = 0;
      while (depth < a.length && a[depth] === b[depth]) depth++;
      if (depth >= a.length || depth >= b.length) return; // within one closed group
      const [source, target] = [ends(a, depth), ends(b, depth)];
      const id = `${source}>${target}`;
      const line = lines.get(id) ?? { id, source, target, weight: 0 };
      line.weight++;
      lines.set(id, line);
    }));
    const { clientWidth, clientHeight } = this.cy.container();
    const { places, drawn, width, height } = layOut(roots, [...lines.values()],
      { shape: clientWidth / clientHeight, room: clientWidth / LEGIBLE - 80 });
    [this.places, this.size] = [places, { width, height }];
    const elements = [...made.values()].map((box) => {
      const { x, y, width, height } = places.get(box.id);
      return { group: "nodes", data: { ...box.data, width, height }, classes: box.classes,
        position: { x, y } };
    });
    for (const line of lines.values()) {
      elements.push({ group: "edges", data: { ...line, width: 1 + Math.log2(line.weight) / 4,
        ...bends(drawn.get(line.id), places.get(line.source), places.get(line.target)) } });
    }
    this.cy.batch(() => { this.cy.elements().remove(); this.cy.add(elements); });
    this.paint();
    this.highlight();
    this.fit();
  }

  box(id, node, parent) {
    const group = this.groups.get(id);
    const members = group ? group.members.filter((n) => this.isShown(n)) : [node];
    const opened = group && this.isOpen(id);
    let label = this.model.nodes.name[node];
    if (group) {
      // What the names within leave out stands above them.
      const map = this.model.maps[this.model.nodes.map[node]];
      const rest = opened ? this.begin(id).slice(map?.length, -2) : "";
      label = `${group.label}${rest} (${members.length})`;
    } else if (parent) label = label.slice(this.begin(parent).length); // stands above
    if (!opened) label = middle(label, LONGEST);
    const width = Math.max(60, 18 + (group ? 7.6 : 6.9) * label.length);
    return {
      id, width, height: group ? 28 : 24, boxes: opened ? [] : undefined,
      level: sum(members.map((n) => this.model.level[n])) / members.length,
      data: { id, label, members, depth: parent ? 1 : 0 },
      classes: opened ? "opened" : group ? "closed" : "leaf",
    };
  }

  // What the names in a Map begin with, up to a double underscore.
  begin(id) {
    const group = this.groups.get(id);
    if (!id.startsWith("m:") || group.begin != null) return group.begin ?? "";
    const [first, ...others] = group.members.map((node) => this.model.nodes.name[node]);
    let common = first.lastIndexOf("__") + 2;
    for (const name of others) {
      while (!name.startsWith(first.slice(0, common))) common = first.lastIndexOf("__", common - 3) + 2;
    }
    return group.begin = first.slice(0, common);
  }

  nameOf(id) {
    return this.groups.get(id)?.label ?? this.model.nodes.label[Number(id.slice(2))];
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

  // All of it; where that would be too small to be read, the part from the upper left.
  fit(whole = false) {
    const { width, height } = this.size;
    const fitting = Math.min((this.cy.width() - 32) / width, (this.cy.height() - 32) / height);
    this.look(0, 0, width, height, Math.min(1.2, whole ? fitting : Math.max(LEGIBLE, fitting)));
  }

  // In the middle, or what is too large for that from its upper left corner.
  look(x, y, width, height, zoom) {
    const pan = (start, size, room) => Math.max(16, (room - size * zoom) / 2) - start * zoom;
    this.cy.viewport({ zoom,
      pan: { x: pan(x, width, this.cy.width()), y: pan(y, height, this.cy.height()) } });
  }

  // What was opened or found is in view.
  lookAt(id) {
    const place = this.places.get(id);
    if (!place) return;
    const [zoom, pan] = [this.cy.zoom(), this.cy.pan()];
    const { width, height } = place;
    const x = place.x - width / 2, y = place.y - height / 2;
    const inside = (start, size, moved, room) =>
      start * zoom + moved >= 0 && (start + size) * zoom + moved <= room;
    if (zoom >= LEGIBLE && inside(x, width, pan.x, this.cy.width())
      && inside(y, height, pan.y, this.cy.height())) return;
    this.look(x, y, width, height, Math.max(LEGIBLE, zoom));
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

  // What a selected derivation is made of, what is made of it, and the rest.
  highlight() {
    const node = this.selected;
    const shown = (nodes) => new Set([...nodes].map((n) => this.stands[n]).filter(Boolean));
    const above = shown(node == null ? [] : this.model.ancestors(node));
    const below = shown(node == null ? [] : this.model.descendants(node));
    const own = node == null ? null : this.stands[node];
    const box = (id) => id === own ? "chosen" : above.has(id) ? "up" : below.has(id) ? "down" : "faded";
    const line = (from, to) => above.has(from) && (above.has(to) || to === own) ? "up"
      : below.has(to) && (below.has(from) || from === own) ? "down" : "faded";
    this.cy.batch(() => this.cy.elements(".leaf, .closed, edge").forEach((each) => {
      const mark = node == null ? "" : each.isNode() ? box(each.id())
        : line(each.data("source"), each.data("target"));
      const before = each.scratch("mark") ?? "";
      if (mark === before) return;
      each.scratch("mark", mark).toggleClass(before, false).toggleClass(mark, true);
    }));
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
        box.data({ stops: stops.join(" "), positions: positions.join(" "), fill: stops[0],
          text: "#fff" });
        box.toggleClass("mixed", stops.length > 2);
      } else {
        const level = this.level(members);
        const fill = level == null ? theme.states[2] : mix(theme.low, theme.high, level);
        box.data({ fill, text: luminance(fill) > 0.45 ? "#10151f" : "#fff" });
        box.toggleClass("mixed", false);
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
    const [low, high] = this.model.durations.map(Math.log);
    return Math.max(0, Math.min(1, (Math.log(Math.max(mean, 1e-3)) - low) / (high - low || 1)));
  }

  theme() {
    return { states: [0, 1, 2, 3, 4].map((at) => colour(`state-${at}`)), low: colour("low"),
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
      { selector: `node.${name}`, style: { "border-width": 3, "border-color": fill,
        "border-opacity": 1 } },
      { selector: `edge.${name}`, style: { "line-color": fill, "target-arrow-color": fill,
        opacity: 0.9, "z-index": 2 } },
    ];
    return [
      { selector: "node", style: {
        shape: "round-rectangle", width: "data(width)", height: "data(height)", label: "data(label)",
        "font-size": 12, "font-family": "system-ui, sans-serif", "text-valign": "center" } },
      { selector: ".leaf, .closed", style: { "background-color": "data(fill)", color: "data(text)",
        "border-width": 0, "z-index": 3 } },
      { selector: ".mixed", style: {
        "background-fill": "linear-gradient", "background-gradient-direction": "to-right",
        "background-gradient-stop-colors": "data(stops)",
        "background-gradient-stop-positions": "data(positions)" } },
      { selector: ".closed", style: { "font-size": 13, "font-weight": 600, "border-width": 1,
        "border-color": theme.text, "border-opacity": 0.35 } },
      { selector: ".opened", style: {
        "background-color": theme.soft, "background-opacity": 0.55, "border-width": 1,
        "border-color": theme.line, "text-valign": "top", "text-margin-y": 20, "font-weight": 600,
        color: theme.quiet, "z-index": 1, "z-compound-depth": "bottom" } },
      { selector: "edge", style: { width: "data(width)", "line-color": theme.edge, opacity: 0.7,
        "curve-style": "round-segments", "segment-radii": 8, "radius-type": "influence-radius",
        "edge-distances": "endpoints", "segment-weights": "data(weights)",
        "segment-distances": "data(distances)", "source-endpoint": "data(from)",
        "target-endpoint": "data(to)", "target-arrow-shape": "triangle", "arrow-scale": 0.7,
        "target-arrow-color": theme.edge } },
      { selector: "node.faded", style: { "background-opacity": 0.15, "border-opacity": 0.15,
        color: theme.quiet } },
      { selector: "edge.faded", style: { opacity: 0.15 } },
      ...mark("up", theme.up), ...mark("down", theme.down), ...mark("chosen", theme.accent),
      { selector: "node.chosen", style: { "border-width": 4 } },
    ];
  }
}

// The way of a line in the terms of cytoscape: its ends from the centres of the boxes, and its
// bends along and aside of the straight line between these.
function bends(points, source, target) {
  const way = points.filter(({ x, y }, at) => !at || x !== points[at - 1].x || y !== points[at - 1].y);
  const [first, last] = [way[0], way.at(-1)];
  const [dx, dy] = [last.x - first.x, last.y - first.y];
  const square = dx * dx + dy * dy;
  const end = (point, box) => `${point.x - box.x}px ${point.y - box.y}px`;
  return {
    from: end(first, source), to: end(last, target),
    weights: way.slice(1, -1).map(({ x, y }) => ((x - first.x) * dx + (y - first.y) * dy) / square),
    distances: way.slice(1, -1).map(({ x, y }) =>
      ((y - first.y) * dx - (x - first.x) * dy) / Math.sqrt(square)),
  };
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
