"use strict";
// Small pictures of what a frame holds; see summary.py for how they are written.

const LEVELS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const height = (character) => {
  const at = LEVELS.indexOf(character);
  return at < 0 ? null : at / (LEVELS.length - 1);
};
const SVG = "http://www.w3.org/2000/svg";

function drawing(width, tall, ...paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.style.height = `${tall}px`;
  for (const attributes of paths) {
    const path = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
    svg.append(path);
  }
  return svg;
}

// Blocks of rows from left to right, blocks of columns from top to bottom; dark is missing.
function missingMap(map) {
  const tall = map[0].length;
  const cells = map.flatMap((column, x) => [...column].map((c, y) => ({
    d: `M${x},${y * 72 / tall}h1.02v${72 / tall + 0.3}h-1.02z`,
    style: `fill: color-mix(in srgb, var(--text) ${Math.round(85 * height(c))}%, var(--soft))`,
  })));
  return drawing(map.length, 72, ...cells);
}

function histogram(text) {
  const bars = [...text].map((c, x) => `M${x + 0.05},60v${-58 * height(c)}h0.9V60z`).join("");
  return drawing(text.length, 60, { d: bars, style: "fill: var(--accent)" });
}

// The median as a line, in bands from the 5th to the 95th and the 25th to the 75th percentile.
function fan(quantiles) {
  const width = quantiles[0].length - 1;
  const y = (c) => 78 - 76 * height(c);
  const line = (text) => {
    let pen = "M";
    return [...text].map((c, x) => {
      if (height(c) == null) { pen = "M"; return ""; }
      const point = `${pen}${x},${y(c).toFixed(1)}`;
      pen = "L";
      return point;
    }).join("");
  };
  const band = (low, high) => [...low].slice(1).map((_, x) =>
    [low[x], low[x + 1], high[x], high[x + 1]].some((c) => height(c) == null) ? ""
      : `M${x},${y(low[x])}L${x + 1},${y(low[x + 1])}L${x + 1},${y(high[x + 1])}L${x},${y(high[x])}z`,
  ).join("");
  return drawing(Math.max(width, 1), 80,
    { d: band(quantiles[0], quantiles[4]), style: "fill: var(--accent); opacity: .22" },
    { d: band(quantiles[1], quantiles[3]), style: "fill: var(--accent); opacity: .4" },
    { d: line(quantiles[2]), style: "fill: none; stroke: var(--text); stroke-width: 1.4",
      "vector-effect": "non-scaling-stroke" });
}

// A drawing with what stands at its ends: below, and at its left from top to bottom.
function axes(picture, below, upright = []) {
  const texts = (className, values) =>
    element("div", { className }, ...values.map((value) => element("span", {}, String(value))));
  return element("div", { className: "axes" }, texts("upright", upright), picture,
    element("div"), texts("", below));
}

function showPictures(summary, target) {
  const heading = (text) => target.append(element("h4", {}, text));
  const time = summary.first ? [summary.first, summary.last] : ["first row", "last row"];
  if (summary.map) {
    heading(`Missing values, ${percent(summary.missing)} (columns downwards)`);
    target.append(axes(missingMap(summary.map), time));
  }
  if (summary.histogram) {
    const { low, high } = summary;
    heading("Distribution, from the 1st to the 99th percentile");
    target.append(axes(histogram(summary.histogram), [low, high]));
    if (summary.quantiles[0].length > 1) {
      heading("Median, quartiles, 5th and 95th percentile over time");
      target.append(axes(fan(summary.quantiles), time, [high, low]));
    }
  }
  if (summary.groups) {
    heading("Most frequent values");
    target.append(table(Object.entries(summary.groups), [
      { title: "Value", value: (row) => row[0] },
      { title: "Share", value: (row) => row[1], show: (row) => percent(row[1]), number: true },
      { title: "", value: (row) => row[1], bar: true },
    ]));
  }
}
