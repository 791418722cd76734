"use strict";
// The workers over time: a bar for each job, a lane for each thread; what is empty was idle.

const HUES = 12;

class Timeline {
  constructor(model, container, select) {
    this.model = model;
    this.container = container;
    this.canvas = container.querySelector("canvas");
    this.tooltip = container.querySelector("#tooltip");
    this.select = select;
    const { jobs, workers } = model.run;
    this.order = [...jobs.rule.keys()].filter((job) => jobs.start[job] != null)
      .sort((a, b) => jobs.start[a] - jobs.start[b]);
    this.assignLanes(jobs, workers);
    this.end = Math.max(1e-3, ...this.order.map((job) => jobs.start[job] + jobs.wall[job]));
    this.range = [0, this.end];
    this.rankOperators(jobs);
    this.listen();
    this.draw();
  }

  // A job goes to the first lane of its worker that is free.
  assignLanes(jobs, workers) {
    const free = workers.map(() => []);
    const within = new Map();
    for (const job of this.order) {
      const lanes = free[jobs.worker[job]];
      let lane = lanes.findIndex((until) => until <= jobs.start[job] + 1e-3);
      if (lane < 0) lane = lanes.push(0) - 1;
      lanes[lane] = jobs.start[job] + jobs.wall[job];
      within.set(job, lane);
    }
    this.first = [];
    this.lanes = 0;
    free.forEach((lanes, worker) => { this.first[worker] = this.lanes; this.lanes += lanes.length; });
    this.lane = new Map([...within].map(([job, lane]) => [job, this.first[jobs.worker[job]] + lane]));
    this.lane.forEach((lane, job) => (this.byLane ??= [])[lane] = [...(this.byLane[lane] ?? []), job]);
    this.laneHeight = Math.max(5, Math.min(22, Math.floor(420 / Math.max(1, this.lanes))));
  }

  // The operators that take most of the time have colours of their own.
  rankOperators(jobs) {
    const total = new Map();
    for (const job of this.order) {
      const name = this.nameOf(job);
      total.set(name, (total.get(name) ?? 0) + jobs.wall[job]);
    }
    this.ranked = [...total].sort((a, b) => b[1] - a[1]).slice(0, HUES).map(([name]) => name);
    this.rank = new Map(this.ranked.map((name, at) => [name, at]));
  }

  nameOf(job) {
    const { node, rule } = this.model.run.jobs;
    return node[job] < 0 ? rule[job] : this.model.operatorName(node[job]);
  }

  hue(rank, light) {
    return rank == null ? (light ? "#a8b1bf" : "#5b6778")
      : `hsl(${(rank * 360 / HUES + 210) % 360} ${light ? "55% 58%" : "45% 55%"})`;
  }

  legend() {
    const light = this.isLight();
    const entry = (name, rank) => {
      const mark = element("i");
      mark.style.background = this.hue(rank, light);
      return [mark, name];
    };
    const rest = new Set(this.order.map((job) => this.nameOf(job))).size > this.ranked.length;
    return [...this.ranked.flatMap((name, rank) => entry(name, rank)),
      ...(rest ? entry("others", null) : [])];
  }

  isLight() {
    return this.printing || !matchMedia("(prefers-color-scheme: dark)").matches;
  }

  x(time) {
    return this.left + (time - this.range[0]) / (this.range[1] - this.range[0]) * this.wide;
  }

  draw() {
    const { jobs, workers } = this.model.run;
    const ratio = devicePixelRatio || 1, axis = 22;
    const width = this.container.clientWidth || 1000;
    const tall = this.lanes * this.laneHeight + axis;
    this.canvas.width = width * ratio;
    this.canvas.height = tall * ratio;
    this.canvas.style.height = `${tall}px`;
    this.left = 86;
    this.wide = width - this.left - 8;
    const pen = this.canvas.getContext("2d");
    const light = this.isLight();
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = light ? "#eef1f5" : "#232b37";
    pen.fillRect(this.left, 0, this.wide, tall - axis);
    pen.save();
    pen.beginPath();
    pen.rect(this.left, 0, this.wide, tall);
    pen.clip();
    for (const job of this.order) {
      const from = this.x(jobs.start[job]), to = this.x(jobs.start[job] + jobs.wall[job]);
      if (to < this.left || from > width) continue;
      pen.fillStyle = jobs.ok[job] ? this.hue(this.rank.get(this.nameOf(job)), light) : "#d9363e";
      const gap = to - from > 3 ? 0.6 : 0;
      pen.fillRect(from, this.lane.get(job) * this.laneHeight + 0.5, Math.max(0.4, to - from - gap),
        this.laneHeight - 1);
    }
    pen.restore();
    pen.fillStyle = light ? "#667085" : "#94a0b3";
    const names = workers.length > 1 ? (w) => `worker ${w + 1}` : () => "threads";
    this.first.forEach((lane, worker) => {
      if (this.laneHeight * (this.first[worker + 1] ?? this.lanes) - this.laneHeight * lane > 9) {
        pen.fillText(names(worker), 0, lane * this.laneHeight + 12);
      }
    });
    const step = niceStep((this.range[1] - this.range[0]) / 8);
    for (let time = Math.ceil(this.range[0] / step) * step; time <= this.range[1]; time += step) {
      pen.fillRect(this.x(time), tall - axis, 1, 5);
      pen.fillText(`${+time.toFixed(3)} s`, this.x(time) + 3, tall - 7);
    }
    if (this.dragged) {
      pen.fillStyle = "#2563eb44";
      const [from, to] = this.dragged.map((time) => this.x(time));
      pen.fillRect(from, 0, to - from, tall - axis);
    }
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const time = this.range[0] + (x - this.left) / this.wide * (this.range[1] - this.range[0]);
    const { start, wall } = this.model.run.jobs;
    const job = this.byLane?.[Math.floor(y / this.laneHeight)]
      ?.find((j) => start[j] <= time && time <= start[j] + wall[j]);
    return { x, y, time, job };
  }

  listen() {
    let pressed = null;
    this.canvas.onmousedown = (event) => { pressed = this.at(event); };
    this.canvas.onmousemove = (event) => {
      const { x, y, time, job } = this.at(event);
      if (pressed && Math.abs(x - pressed.x) > 4) {
        this.dragged = [pressed.time, time];
        this.draw();
      }
      this.tooltip.hidden = job == null;
      if (job == null) return;
      const { rule, wall, ok } = this.model.run.jobs;
      this.tooltip.textContent = `${rule[job]}: ${seconds(wall[job])}${ok[job] ? "" : ", failed"}`;
      this.tooltip.style.left = `${Math.min(x + 12, this.left + this.wide - this.tooltip.offsetWidth)}px`;
      this.tooltip.style.top = `${y + 14}px`;
    };
    this.canvas.onmouseleave = () => { this.tooltip.hidden = true; };
    this.canvas.onmouseup = (event) => {
      const { job } = this.at(event);
      if (this.dragged) this.range = this.dragged.sort((a, b) => a - b);
      else if (job != null && this.model.run.jobs.node[job] >= 0) {
        this.select(this.model.run.jobs.node[job]);
      }
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
