"""The worker of a local cluster, whose fork server starts while the worker itself does.

    python -m snakemake_executor_plugin_dask.clusters.local_worker PRELOAD THREADS MEMORY_MB

Dask takes half a second to be imported, what is preloaded up to some seconds.
"""

from __future__ import annotations

import json
import sys

from .. import forkserver
from .processes import give_way


def main() -> None:
    """Serve until standard input ends."""
    give_way()
    preload, *size = sys.argv[1:]
    forkserver.launch_ahead(json.loads(preload))
    from . import node

    node.main(["worker", *size])


if __name__ == "__main__":
    main()
