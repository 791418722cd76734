"use strict";
// Where the boxes of the graph stand, and the ways of the lines between them. In each frame what
// depends on one another stands in columns from left to right; lines run between the columns, and
// through them only where no box stands. What depends on nothing there stands in rows below.

const GAP = 10, LANE = 5, GUTTER = 32, STUB = 8, PADDING = 14, HEAD = 24;

// `boxes` are {id, width, height, level, boxes}, with those of a frame inside of it; `lines` are
// {id, source, target} of ids. The whole should have the `shape`, width by height, and rows should
// not be wider than the `room` there is. Gives its width and height, the centres and sizes of boxes
// by id, and by the ids of the lines their points from border to border.
function layOut(boxes, lines, { shape, room }) {
  const parent = new Map(), byId = new Map();
  const learn = (list, container) => list.forEach((box) => {
    byId.set(box.id, box);
    parent.set(box.id, container);
    if (box.boxes) learn(box.boxes, box.id);
  });
  learn(boxes, null);
  // Each frame on the way of a line has a part of it: from a box or the left border to a box or
  // the right border. Lines from one box share their parts.
  const parts = new Map();
  const part = (container, net, from, to) => {
    const key = `${net}|${from}|${to}`;
    if (!parts.has(container)) parts.set(container, new Map());
    parts.get(container).set(key, { key, net, from, to });
    return { container, key };
  };
  const ways = new Map(lines.map(({ id, source, target }) => {
    const up = chainOf(source, parent), down = chainOf(target, parent);
    while (up.at(-2) && up.at(-2) === down.at(-2)) { up.pop(); down.pop(); }
    const [a, b] = [up.at(-2) ?? source, down.at(-2) ?? target];
    return [id, [
      ...up.slice(0, -2).map((at, step) => part(up[step + 1], source, at, "out")),
      part(up.at(-1), source, a, b),
      ...down.slice(0, -2).map((at, step) => part(down[step + 1], source, "in", at)).reverse(),
    ]];
  }));
  const routes = new Map();
  const place = (list, container, wanted) => {
    for (const box of list) {
      if (!box.boxes) continue;
      const size = place(box.boxes, box.id, 1.6);
      box.width = Math.max(box.width, size.width + 2 * PADDING);
      box.height = size.height + 2 * PADDING + HEAD;
    }
    const mine = [...(parts.get(container)?.values() ?? [])];
    const found = arrange(list, mine, { shape: wanted, room }, port);
    routes.set(container, found.routes);
    return found;
  };
  // Where on the border of a frame the part inside of it ends.
  const port = (net, box, side) => {
    const ends = routes.get(box.id);
    const y = ends && [...ends.values()].find((r) => r.net === net && r[side] != null)?.[side];
    return y == null ? 0 : y + PADDING + HEAD - box.height / 2;
  };
  const { width, height } = place(boxes, null, shape);
  // From places within a frame to places on the page.
  const places = new Map(), corner = new Map([[null, { x: 0, y: 0 }]]);
  const shift = (list, { x, y }) => list.forEach((box) => {
    const { width, height } = box;
    places.set(box.id, { x: box.x + x, y: box.y + y, width, height });
    const inner = { x: box.x + x - width / 2 + PADDING, y: box.y + y - height / 2 + PADDING + HEAD };
    corner.set(box.id, inner);
    if (box.boxes) shift(box.boxes, inner);
  });
  shift(boxes, { x: 0, y: 0 });
  const drawn = new Map([...ways].map(([id, way]) => [id, way.flatMap(({ container, key }) => {
    const { x, y } = corner.get(container);
    return routes.get(container).get(key).points.map((point) => ({ x: point.x + x, y: point.y + y }));
  })]));
  return { places, drawn, width, height };
}

// A box, its frame, that one's frame, ..., null.
function chainOf(id, parent) {
  const chain = [id];
  while (chain.at(-1) != null) chain.push(parent.get(chain.at(-1)));
  return chain;
}

// Places the boxes of one frame, from its upper left corner. Returns its size, and of each part
// {net, points}, with the height at which it meets the border as `in` or `out`.
function arrange(list, parts, wanted, port) {
  const ends = new Set(parts.flatMap(({ from, to }) => [from, to]));
  const linked = list.filter((box) => ends.has(box.id));
  const alone = list.filter((box) => !ends.has(box.id));
  const size = { width: 0, height: 0, routes: new Map() };
  if (linked.length) Object.assign(size, placeColumns(linked, parts, wanted.shape, port));
  if (alone.length) placeRows(alone, size, wanted);
  return size;
}

// Below what is there, in rows of cells of one width.
function placeRows(list, size, { shape, room }) {
  const cell = Math.max(...list.map((box) => box.width)) + GAP;
  const tall = Math.max(...list.map((box) => box.height)) + GAP;
  const square = Math.sqrt(list.length * cell * tall * shape);
  const fitting = Math.max(size.width + GAP, Math.min(square, room));
  const columns = Math.max(1, Math.min(list.length, Math.floor(fitting / cell)));
  const top = size.height ? size.height + 2 * GAP : 0;
  let y = top, row = 0;
  list.forEach((box, at) => {
    if (at && at % columns === 0) { y += row + GAP; row = 0; }
    if (!box.boxes) box.width = cell - GAP;
    box.x = (at % columns) * cell + box.width / 2;
    box.y = y + box.height / 2;
    row = Math.max(row, box.height);
  });
  size.width = Math.max(size.width, columns * cell - GAP);
  size.height = y + row;
}

function placeColumns(list, parts, wanted, port) {
  const boxes = new Map(list.map((box) => [box.id, box]));
  const rank = ranks(list, parts, wanted);
  const last = Math.max(...rank.values()) + 1;
  // What stands in the columns: boxes, lanes of lines that pass, ends of lines at the border.
  const columns = Array.from({ length: last + 1 }, () => []);
  const stops = new Map();
  const stop = (id, at, net) => {
    if (!stops.has(id)) {
      const box = boxes.get(id);
      stops.set(id, { id, net, box, height: box?.height ?? LANE, next: [[], []] });
      columns[at].push(stops.get(id));
    }
    return stops.get(id);
  };
  list.forEach((box) => stop(box.id, rank.get(box.id)));
  const joined = new Set();
  const ways = parts.map(({ key, net, from, to }) => {
    const ends = [from, to].map((id, at) => boxes.has(id) ? stop(id, rank.get(id))
      : stop(`${id}|${net}`, at ? last : 0, net));
    const [start, end] = [from, to].map((id, at) => rank.get(id) ?? (at ? last : 0));
    const step = end > start ? 1 : -1;
    const way = [ends[0]];
    for (let at = start + step; at !== end; at += step) {
      way.push(stop(`${net}|${from}|${at}|${step}`, at, net));
    }
    way.push(ends[1]);
    way.slice(1).forEach((b, at) => {
      const [left, right] = step > 0 ? [way[at], b] : [b, way[at]];
      const link = `${left.id}>${right.id}>${net}`;
      if (joined.has(link)) return;
      joined.add(link);
      left.next[1].push({ stop: right, net });
      right.next[0].push({ stop: left, net });
    });
    return { key, net, way, step };
  });
  order(columns);
  const height = settle(columns, (stop, net, side) => stop.y + (stop.box && stop.box.boxes
    ? port(net, stop.box, side ? "out" : "in") : 0));
  // The columns stand as far from one another as lines need to be told apart.
  let x = 0;
  const spans = columns.map((column, at) => {
    const wide = Math.max(0, ...column.map(({ box }) => box?.width ?? 0));
    const even = Math.max(0, ...column.map(({ box }) => (box && !box.boxes ? box.width : 0)));
    const span = [x, x + wide];
    for (const { box, y } of column) {
      if (!box) continue;
      if (!box.boxes) box.width = even;
      box.x = x + wide / 2;
      box.y = y;
    }
    const links = sum(column.map((each) => each.next[1].length));
    const border = at === 0 || at === last - 1;
    if (column.length && at < last) x += wide + GUTTER * (border ? 1 : Math.min(3, 1 + links / 30));
    return span;
  });
  const column = new Map(columns.flatMap((all, at) => all.map(({ id }) => [id, spans[at]])));
  const routes = new Map(ways.map(({ key, net, way, step }) => {
    const points = way.flatMap((stop, at) => {
      const { box } = stop;
      const sides = column.get(stop.id);
      if (!box) {
        const across = [sides[0] - STUB, sides[1] + STUB];
        return (step > 0 ? across : across.reverse()).map((x) => ({ x, y: stop.y }));
      }
      // Out of a box at its right, into it at its left; against the stream the other way round.
      const right = (step > 0) === (at === 0);
      const y = stop.y + (box.boxes ? port(net, box, at === 0 ? "out" : "in") : 0);
      const border = { x: box.x + (right ? 1 : -1) * box.width / 2, y };
      const edge = { x: right ? sides[1] + STUB : sides[0] - STUB, y };
      return at === 0 ? [border, edge] : [edge, border];
    });
    return [key, { net, points, in: way[0].box ? null : way[0].y,
      out: way.at(-1).box ? null : way.at(-1).y }];
  }));
  return { width: spans.at(-1)[1], height, routes };
}

// The columns of the boxes: what is needed stands to the left. Boxes that need one another in a
// circle, as groups may, begin with that of the lowest level. A high column is cut into several,
// so that all takes about the wanted shape. Columns begin with 1: at 0 lines come in.
function ranks(list, parts, wanted) {
  const needs = new Map(list.map((box) => [box.id, new Set()]));
  const needed = new Map(list.map((box) => [box.id, new Set()]));
  for (const { from, to } of parts) {
    if (!needs.has(from) || !needs.has(to)) continue;
    needs.get(to).add(from);
    needed.get(from).add(to);
  }
  const waiting = [...list].sort((a, b) => a.level - b.level);
  const depth = new Map(), columns = [];
  while (waiting.length) {
    const at = waiting.findIndex((box) => [...needs.get(box.id)].every((id) => depth.has(id)));
    const [box] = waiting.splice(Math.max(0, at), 1);
    const before = [...needs.get(box.id)].filter((id) => depth.has(id));
    depth.set(box.id, Math.max(0, ...before.map((id) => depth.get(id) + 1)));
    (columns[depth.get(box.id)] ??= []).push(box);
  }
  const sizes = columns.map((column) => ({
    count: column.length, width: Math.max(...column.map((box) => box.width)) + GUTTER,
    height: sum(column.map((box) => box.height + GAP)),
  }));
  const extent = (most) => Math.max(
    sum(sizes.map(({ count, width }) => Math.ceil(count / most) * width)) / wanted,
    ...sizes.map(({ count, height }) => height / Math.ceil(count / most)));
  const choices = [...Array(Math.max(...sizes.map(({ count }) => count))).keys()].map((n) => n + 1);
  const most = choices.reduce((a, b) => (extent(b) < extent(a) ? b : a));
  const rank = new Map();
  let first = 1;
  for (const column of columns) {
    // What others need stands nearest to them.
    const inOrder = [...column].sort((a, b) => needed.get(a.id).size - needed.get(b.id).size);
    const cuts = Math.ceil(column.length / most);
    inOrder.forEach((box, at) => rank.set(box.id, first + Math.floor(at * cuts / column.length)));
    first += cuts;
  }
  return rank;
}

// The order within the columns, with few lines that cross: each column in turn is sorted by the
// mean height of what it is joined to; of several rounds the best counts.
function order(columns) {
  const stack = (column) => align(column, () => 0);
  columns.forEach(stack);
  let best = [...columns.map((column) => [...column])], fewest = crossings(columns);
  for (let sweep = 0; sweep < 8 && fewest; sweep++) {
    const side = sweep % 2;
    for (const column of side ? [...columns].reverse() : columns) {
      const mean = new Map(column.map((stop) => [stop, stop.next[side].length
        ? sum(stop.next[side].map((join) => join.stop.y)) / stop.next[side].length : stop.y]));
      column.sort((a, b) => mean.get(a) - mean.get(b));
      stack(column);
    }
    const found = crossings(columns);
    if (found < fewest) [best, fewest] = [columns.map((column) => [...column]), found];
  }
  columns.forEach((column, at) => { column.splice(0, Infinity, ...best[at]); stack(column); });
}

function crossings(columns) {
  let found = 0;
  for (const column of columns) {
    // From above to below at the left; where they go further down at the right, they don't cross.
    const right = column.flatMap((stop) => stop.next[1].map((join) => join.stop.y).sort((a, b) => a - b));
    right.forEach((y, at) => { for (let above = 0; above < at; above++) if (right[above] > y) found++; });
  }
  return found;
}

// Puts a column at the heights it wishes, as near as its order and the distances allow: neighbours
// that want to pass one another move as one block.
function align(column, wish) {
  const blocks = [];
  let offset = 0;
  column.forEach((stop, at) => {
    const above = column[at - 1];
    if (at) offset += (above.height + stop.height) / 2 + (above.box && stop.box ? GAP : LANE);
    stop.offset = offset;
    let block = { total: wish(stop) - offset, stops: [stop] };
    while (blocks.length && blocks.at(-1).total / blocks.at(-1).stops.length
        >= block.total / block.stops.length) {
      const before = blocks.pop();
      block = { total: before.total + block.total, stops: [...before.stops, ...block.stops] };
    }
    blocks.push(block);
  });
  for (const { total, stops } of blocks) {
    for (const stop of stops) stop.y = total / stops.length + stop.offset;
  }
}

// Heights that keep the order and the distances, and bend the lines little: each column in turn
// moves to the mean of what it is joined to. Returns the height of all.
function settle(columns, yOf) {
  for (let sweep = 0; sweep < 6; sweep++) {
    const side = sweep % 2;
    for (const column of side ? [...columns].reverse() : columns) {
      align(column, (stop) => {
        const joined = stop.next[side];
        if (!joined.length) return stop.y;
        return sum(joined.map((j) => yOf(j.stop, j.net, 1 - side) + stop.y - yOf(stop, j.net, side)))
          / joined.length;
      });
    }
  }
  const all = columns.flat();
  const top = Math.min(...all.map((stop) => stop.y - stop.height / 2));
  for (const stop of all) stop.y -= top;
  return Math.max(...all.map((stop) => stop.y + stop.height / 2));
}
