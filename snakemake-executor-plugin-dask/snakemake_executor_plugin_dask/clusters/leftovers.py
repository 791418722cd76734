"""List the clusters that killed runs have left in Kubernetes, and delete them.

    python -m snakemake_executor_plugin_dask.clusters.leftovers [--namespace N] [--delete NAME ...]

A run deletes its cluster when it ends; only one that was killed, or lost its connection, can't.
A cluster that is listed may as well be that of a run which is on its way.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from dask_kubernetes.operator._objects import DaskCluster
from snakemake_interface_common.exceptions import WorkflowError

from .kubernetes_api import delete, own_namespace, told
from .kubernetes_spec import LABEL


async def clusters(namespace: str) -> list[tuple[str, str]]:
    """Return the name of each cluster of this package's, and when it was made."""
    found = DaskCluster.list(namespace=namespace, label_selector=LABEL)
    return [(cluster.name, cluster.metadata.creationTimestamp) async for cluster in found]


async def run(namespace: str, names: list[str]) -> int:
    """List, or delete; return the exit code."""
    there = await clusters(namespace)
    if not names:
        for name, made in there:
            print(f"{namespace}/{name}, made {made}")
        return 0
    known = {name for name, _ in there}
    for name in names:
        if name not in known:
            print(f"{namespace}/{name}: is no cluster of a run", file=sys.stderr)
            continue
        await delete(name, namespace)
        print(f"{namespace}/{name}: deleted")
    return int(not known.issuperset(names))


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--namespace", help="default: that of this pod, or of the kubeconfig")
    parser.add_argument("--delete", nargs="+", metavar="NAME", default=[])
    arguments = parser.parse_args()
    try:
        return asyncio.run(run(arguments.namespace or own_namespace(), arguments.delete))
    except Exception as error:
        text = str(error) if isinstance(error, WorkflowError) else told(error)
        if text is None:
            raise
        print(f"Kubernetes: {text}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
