"use strict";
// The data of the page, and questions about its graph.

async function unpack(element) {
  const bytes = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

class Model {
  constructor(data) {
    Object.assign(this, data);
    const { name, parents } = this.nodes;
    this.count = name.length;
    this.children = name.map(() => []);
    parents.forEach((list, node) => new Set(list).forEach((p) => this.children[p].push(node)));
    // The most steps from any input.
    this.level = [];
    parents.forEach((list, node) => {
      this.level[node] = Math.max(-1, ...list.map((p) => this.level[p])) + 1;
    });
    this.job = new Int32Array(this.count).fill(-1); // of several attempts the last
    this.run?.jobs.node.forEach((node, job) => { if (node >= 0) this.job[node] = job; });
    this.places = new Map(name.map((text, node) => [text, node]));
  }

  // Of the last job that made it, in whichever run.
  seconds(node) {
    return this.last?.wall[node] ?? null;
  }

  // The shortest and the longest, from a millisecond on.
  get durations() {
    return this.extremes ??= this.nodes.name.reduce(([low, high], _, node) => {
      const took = Math.max(1e-3, this.seconds(node) ?? NaN);
      return took ? [Math.min(low, took), Math.max(high, took)] : [low, high];
    }, [Infinity, 1e-3]);
  }

  missing(node) {
    return this.nodes.summary[node].missing ?? null;
  }

  operatorName(node) {
    const at = this.nodes.operator[node];
    return at < 0 ? "input tables" : this.operators[at].name;
  }

  // All that is reached from a node in so many steps, without the node itself.
  reached(node, next, steps = Infinity) {
    const found = new Set();
    let front = [node];
    for (let step = 0; step < steps && front.length; step++) {
      front = front.flatMap((at) => next[at]).filter((at) => !found.has(at) && found.add(at));
    }
    return found;
  }

  ancestors(node, steps) {
    return this.reached(node, this.nodes.parents, steps);
  }

  descendants(node, steps) {
    return this.reached(node, this.children, steps);
  }

  // The nodes whose names hold all the words; those that begin with the first word come first.
  search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = [];
    this.nodes.label.forEach((label, node) => {
      const lower = label.toLowerCase();
      if (words.every((word) => lower.includes(word))) found.push(node);
    });
    const begins = (node) => this.nodes.name[node].toLowerCase().startsWith(words[0]);
    return found.sort((a, b) => begins(b) - begins(a));
  }
}

// Numbers for people.

function seconds(value) {
  if (value == null) return "";
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 99.95) return `${value.toPrecision(3)} s`;
  const whole = Math.round(value), minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function bytes(value) {
  if (value == null) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  for (; value >= 999.5 && at < units.length - 1; at++) value /= 1000;
  return `${at ? value.toPrecision(3) : value} ${units[at]}`;
}

function percent(share) {
  if (share == null) return "";
  return share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

// Names differ at their ends: what is too long loses its middle.
function middle(text, longest) {
  const kept = Math.floor((longest - 1) * 0.42);
  return text.length <= longest ? text : `${text.slice(0, kept)}…${text.slice(kept + 1 - longest)}`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

// Elements of the page.

function element(tag, properties = {}, ...content) {
  const made = document.createElement(tag);
  const { dataset, ...others } = properties;
  Object.assign(made, others);
  Object.assign(made.dataset, dataset);
  made.append(...content.filter((part) => part != null));
  return made;
}

function legendEntry(background, text) {
  const mark = element("i");
  mark.style.background = background;
  return element("span", {}, mark, text);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
