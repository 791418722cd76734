"use strict";
// The workers over time: a bar for each job, a lane for each thread; what is empty was idle.

// Told apart also by those who see few colours; red is for what failed.
const HUES = ["#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948", "#76b7b2", "#9c755f", "#a0cbe8"];
const AXIS = 22, MARGIN = 8;

class Timeline {
  constructor(model, container, select) {
    this.model = model;
    this.container = container;
    [this.axis, this.canvas] = container.querySelectorAll("canvas");
    this.tooltip = container.querySelector("#tooltip");
    this.select = select;
    this.bars = this.collect();
    this.end = Math.max(1e-3, ...this.bars.map((bar) => bar.start + bar.wall));
    this.range = [0, this.end];
    this.workers = this.assignLanes();
    this.rankOperators();
    this.listen();
    this.draw();
  }

  // The jobs whose start is known, first to last, and those that run.
  collect() {
    const { jobs, running = [], about } = this.model.run;
    const bars = [...jobs.rule.keys()].filter((job) => jobs.start[job] != null && jobs.wall[job] != null)
      .map((job) => ({ rule: jobs.rule[job], node: jobs.node[job], start: jobs.start[job],
        wall: jobs.wall[job], ok: jobs.ok[job], worker: this.model.run.workers[jobs.worker[job]] }));
    const now = this.model.made - about.started;
    for (const { rule, node, host, start } of running) {
      bars.push({ rule, node, start, wall: Math.max(0, now - start), ok: true, runs: true,
        worker: this.model.run.workers.find((name) => name.split(" ")[0] === host) ?? host });
    }
    return bars.sort((a, b) => a.start - b.start);
  }

  // A job goes to the first lane of its worker that is free. Threads without any job have lanes too;
  // how many threads there are is known of machines without names.
  assignLanes() {
    const workers = new Map();
    for (const bar of this.bars) {
      if (!workers.has(bar.worker)) workers.set(bar.worker, { name: bar.worker, lanes: [], busy: 0 });
      const { lanes } = workers.get(bar.worker);
      const free = lanes.find((lane) => lane.at(-1).start + lane.at(-1).wall <= bar.start + 1e-3);
      if (free) free.push(bar);
      else lanes.push([bar]);
      workers.get(bar.worker).busy += bar.wall;
    }
    const bySize = [...workers.values()].sort((a, b) => b.lanes.length - a.lanes.length);
    const threads = (this.model.run.about.machines ?? []).map((machine) => machine.threads)
      .sort((a, b) => b - a);
    threads.forEach((count, at) => {
      bySize[at] ??= { name: "no job ran", lanes: [], busy: 0, unused: true };
      while (bySize[at].lanes.length < count) bySize[at].lanes.push([]);
    });
    bySize.sort((a, b) => Boolean(a.unused) - Boolean(b.unused)
      || a.name.localeCompare(b.name, "en", { numeric: true }));
    this.lanes = bySize.flatMap((worker) => worker.lanes);
    const least = Math.min(...bySize.map((worker) => worker.lanes.length));
    this.laneHeight = Math.max(Math.ceil(13 / least), Math.min(22, Math.floor(440 / this.lanes.length)));
    return bySize;
  }

  // The operators that take most of the time have colours of their own.
  rankOperators() {
    const total = new Map();
    for (const bar of this.bars) {
      bar.operator = bar.node < 0 ? bar.rule : this.model.operatorName(bar.node);
      total.set(bar.operator, (total.get(bar.operator) ?? 0) + bar.wall);
    }
    const ranked = [...total].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    this.hues = new Map(ranked.slice(0, HUES.length).map((name, at) => [name, HUES[at]]));
    this.others = ranked.length > HUES.length;
  }

  legend() {
    const entry = (name, hue) => {
      const made = legendEntry(hue, name);
      // Below the mouse, one operator stands out.
      made.onmouseenter = () => { this.shown = name; this.draw(); };
      made.onmouseleave = () => { this.shown = null; this.draw(); };
      return made;
    };
    return [...[...this.hues].map(([name, hue]) => entry(name, hue)),
      ...(this.others ? [legendEntry(colour("state-2"), "others")] : []),
      ...(this.bars.some((bar) => !bar.ok) ? [legendEntry(colour("state-3"), "failed")] : []),
      ...(this.bars.some((bar) => bar.runs) ? [legendEntry(colour("state-4"), "runs")] : [])];
  }

  x(time) {
    return this.left + (time - this.range[0]) / (this.range[1] - this.range[0]) * this.wide;
  }


  pen(canvas, width, height) {
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    return pen;
  }

  draw() {
    const width = this.container.clientWidth || 1000;
    const tall = this.lanes.length * this.laneHeight;
    this.left = Math.min(230, width * 0.18);
    this.wide = width - this.left - MARGIN;
    this.drawAxis(this.pen(this.axis, width, AXIS));
    const pen = this.pen(this.canvas, width, tall);
    pen.fillStyle = colour("soft");
    pen.fillRect(this.left, 0, this.wide, tall);
    pen.save();
    pen.beginPath();
    pen.rect(this.left, 0, this.wide, tall);
    pen.clip();
    const [bad, runs, rest] = [colour("state-3"), colour("state-4"), colour("state-2")];
    const gap = this.laneHeight > 3 ? 1 : 0;
    this.lanes.forEach((lane, at) => lane.forEach((bar) => {
      const from = this.x(bar.start), to = this.x(bar.start + bar.wall);
      if (to < this.left || from > width) return;
      pen.fillStyle = !bar.ok ? bad : bar.runs ? runs : this.hues.get(bar.operator) ?? rest;
      pen.globalAlpha = this.shown && bar.operator !== this.shown ? 0.12 : 1;
      pen.fillRect(from, at * this.laneHeight + gap / 2, Math.max(0.4, to - from - (to - from > 3 ? 0.6 : 0)),
        this.laneHeight - gap);
    }));
    pen.restore();
    this.drawWorkers(pen, width);
    if (this.dragged) {
      pen.fillStyle = "#2563eb44";
      const [from, to] = this.dragged.map((time) => this.x(time));
      pen.fillRect(from, 0, to - from, tall);
    }
  }

  drawWorkers(pen, width) {
    let y = 0;
    for (const { name, lanes, busy } of this.workers) {
      const tall = lanes.length * this.laneHeight;
      if (y) {
        pen.fillStyle = colour("line");
        pen.fillRect(0, y, width, 1);
      }
      const idle = `${Math.round(100 * (1 - busy / (this.end * lanes.length)))} % idle`;
      const below = tall >= 26;
      pen.fillStyle = colour("text");
      pen.fillText(middle(below ? name : `${middle(name, 22)}, ${idle}`, 34), 0, y + 11, this.left - 10);
      pen.fillStyle = colour("quiet");
      const threads = `${lanes.length} thread${lanes.length > 1 ? "s" : ""}, ${idle}`;
      if (below) pen.fillText(threads, 0, y + 24, this.left - 10);
      y += tall;
    }
  }

  drawAxis(pen) {
    pen.fillStyle = colour("quiet");
    const step = niceStep((this.range[1] - this.range[0]) / 8);
    for (let time = Math.ceil(this.range[0] / step) * step; time <= this.range[1]; time += step) {
      pen.fillRect(this.x(time), AXIS - 5, 1, 5);
      const text = `${+time.toFixed(3)} s`;
      const left = Math.min(this.x(time) + 3, this.left + this.wide - pen.measureText(text).width);
      pen.fillText(text, left, AXIS - 8);
    }
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const time = this.range[0] + (x - this.left) / this.wide * (this.range[1] - this.range[0]);
    const bar = this.lanes[Math.floor(y / this.laneHeight)]
      ?.find(({ start, wall }) => start <= time && time <= start + wall);
    return { x, y, time, bar };
  }

  listen() {
    let pressed = null;
    this.canvas.onmousedown = (event) => { pressed = this.at(event); };
    this.canvas.onmousemove = (event) => {
      const { x, y, time, bar } = this.at(event);
      if (pressed && Math.abs(x - pressed.x) > 4) {
        this.dragged = [pressed.time, time];
        this.draw();
      }
      this.tooltip.hidden = !bar;
      if (!bar) return;
      const { rule, operator, start, wall, worker, ok, runs } = bar;
      const state = ok ? (runs ? ", runs" : "") : ", failed";
      this.tooltip.textContent = `${rule}: ${seconds(wall)}${state}\n` +
        `${operator}, began after ${seconds(start)}\n${worker}`;
      const room = this.left + this.wide - this.tooltip.offsetWidth;
      this.tooltip.style.left = `${Math.min(x + 12, room)}px`;
      this.tooltip.style.top = `${y + AXIS + 14}px`;
    };
    this.canvas.onmouseleave = () => { this.tooltip.hidden = true; };
    this.canvas.onmouseup = (event) => {
      const { bar } = this.at(event);
      if (this.dragged) this.range = this.dragged.sort((a, b) => a - b);
      else if (bar?.node >= 0) this.select(bar.node);
      pressed = this.dragged = null;
      this.draw();
    };
    this.canvas.ondblclick = () => { this.range = [0, this.end]; this.draw(); };
  }
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
}
