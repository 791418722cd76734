"use strict";
// Where the boxes of the graph stand: in each opened group, what depends on one another from left to
// right (by dagre), and what doesn't in rows below.

const GAP = 14, PADDING = 16, HEAD = 22;

// `boxes` are {id, width, height, boxes} with the opened groups' own boxes inside; `edges` are
// [from, to, container] of ids. Returns the centres and sizes by id.
function layOut(boxes, edges) {
  const inside = new Map();
  for (const [from, to, container] of edges) {
    if (!inside.has(container)) inside.set(container, []);
    inside.get(container).push([from, to]);
  }
  const places = new Map();
  const place = (list, container) => {
    for (const box of list) {
      if (!box.boxes) continue;
      const size = place(box.boxes, box.id);
      box.width = size.width + 2 * PADDING;
      box.height = size.height + 2 * PADDING + HEAD;
    }
    return arrange(list, inside.get(container) ?? [], places);
  };
  place(boxes, null);
  // From places within their group to places on the page.
  const shift = (list, x, y) => {
    for (const box of list) {
      const at = places.get(box.id);
      places.set(box.id, { x: at.x + x, y: at.y + y, width: box.width, height: box.height });
      if (box.boxes) {
        shift(box.boxes, at.x + x - box.width / 2 + PADDING,
          at.y + y - box.height / 2 + PADDING + HEAD);
      }
    }
  };
  shift(boxes, 0, 0);
  return places;
}

function arrange(list, edges, places) {
  const connected = new Set(edges.flat());
  let width = 0, height = 0;
  const linked = list.filter((box) => connected.has(box.id));
  if (linked.length) {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: "LR", nodesep: GAP, ranksep: 50, ranker: "longest-path" });
    graph.setDefaultEdgeLabel(() => ({}));
    linked.forEach((box) => graph.setNode(box.id, { width: box.width, height: box.height }));
    edges.forEach(([from, to]) => graph.setEdge(from, to));
    dagre.layout(graph);
    linked.forEach((box) => places.set(box.id, { ...graph.node(box.id) }));
    ({ width, height } = graph.graph());
  }
  const alone = list.filter((box) => !connected.has(box.id));
  if (!alone.length) return { width, height };
  const area = alone.reduce((total, box) => total + (box.width + GAP) * (box.height + GAP), 0);
  const widest = Math.max(...alone.map((box) => box.width));
  const limit = Math.max(width, widest, Math.sqrt(area * 1.8));
  let x = 0, y = height ? height + 2 * GAP : 0, row = 0;
  for (const box of alone) {
    if (x && x + box.width > limit) { x = 0; y += row + GAP; row = 0; }
    places.set(box.id, { x: x + box.width / 2, y: y + box.height / 2 });
    x += box.width + GAP;
    width = Math.max(width, x - GAP);
    row = Math.max(row, box.height);
  }
  return { width, height: y + row };
}
