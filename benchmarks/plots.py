"""Draw what `catalogs.py --json FILE` has measured: the times of the engines, a panel a catalog.

python benchmarks/plots.py benchmarks/catalogs.jsonl docs/catalogs.svg
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import pandas as pd

COLORS = {"ours": "#0072b2", "limit": "#999999"}


def main(measures: str, target: str) -> None:
    """Draw a bar for each engine, those of a catalog and a size together."""
    lines = pd.read_json(measures, lines=True).query("engine not in ['kernels', 'machine']")
    panels = list(lines.groupby(["catalog", "shares"], sort=False))
    heights = [len(panel) for _, panel in panels]
    plt.rcParams.update({"svg.hashsalt": "costs", "font.size": 9, "svg.fonttype": "none"})
    figure, axes = plt.subplots(
        len(panels),
        squeeze=False,
        figsize=(8, 0.3 * sum(heights) + 0.8 * len(panels)),
        height_ratios=heights,
    )
    axes = axes[:, 0]
    for ax, ((catalog, shares), panel) in zip(axes, panels, strict=True):
        colors = [COLORS.get(engine, "#d55e00") for engine in panel["engine"]]
        bars = ax.barh(panel["engine"], panel["wall"], color=colors)
        ax.bar_label(bars, fmt="%.1f s", padding=3)
        ax.set_title(f"{catalog}, {shares} shares", loc="left")
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(x=0.12)
        ax.invert_yaxis()
    axes[-1].set_xlabel("wall seconds")
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
