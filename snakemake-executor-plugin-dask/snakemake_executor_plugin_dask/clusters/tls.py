"""Keys and certificates of one run, in a folder that only its user can read.

    python -m snakemake_executor_plugin_dask.clusters.tls FOLDER

makes some in a new folder, for schedulers and workers that are started by hand: with
`DASK_CONFIG=FOLDER` in their environment they and Snakemake use them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dask
import yaml
from distributed import Security

KEY, CERTIFICATE = "tls-key.pem", "tls-certificate.pem"
SIDES = ("client", "scheduler", "worker")
# Pages of logs and metrics, which are for anybody to read, whatever the keys.
WITHOUT_PAGES: dict[str, object] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


def make(folder: Path) -> Security:
    """Make a key that only those have who can read the folder, and return how to use it."""
    made = Security.temporary()
    for name, text in ((KEY, made.tls_client_key), (CERTIFICATE, made.tls_client_cert)):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    return load(folder)


def load(folder: Path) -> Security:
    """Return how to use a key that was made."""
    return security(str(folder / KEY), str(folder / CERTIFICATE))


def read(folder: Path) -> tuple[str, str]:
    """Return the key and the certificate themselves."""
    return (folder / KEY).read_text(), (folder / CERTIFICATE).read_text()


def security(key: str, certificate: str) -> Security:
    """Return how all sides show a key (a path or itself), and know each other by it."""
    return Security(
        require_encryption=True,
        tls_ca_file=certificate,
        **{f"tls_{side}_key": key for side in SIDES},
        **{f"tls_{side}_cert": certificate for side in SIDES},
    )


def configuration(folder: Path) -> dict[str, object]:
    """Return the same as Dask's configuration."""
    values: dict[str, object] = {
        "distributed.comm.require-encryption": True,
        "distributed.comm.tls.ca-file": str(folder / CERTIFICATE),
    }
    for side in SIDES:
        values[f"distributed.comm.tls.{side}.key"] = str(folder / KEY)
        values[f"distributed.comm.tls.{side}.cert"] = str(folder / CERTIFICATE)
    return values


def main() -> None:
    """Make keys in a new folder, and the configuration that has Dask use them."""
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(mode=0o700, parents=True)
    make(folder)
    config: dict[str, object] = {}
    dask.config.set(configuration(folder) | WITHOUT_PAGES, config=config)
    (folder / "dask.yaml").write_text(yaml.safe_dump(config))


if __name__ == "__main__":
    main()
