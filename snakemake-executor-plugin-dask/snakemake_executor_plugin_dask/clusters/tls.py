"""Keys and certificates of one run, in a folder that only its user can read."""

from __future__ import annotations

import os
from pathlib import Path

from distributed import Security

KEY, CERTIFICATE = "tls-key.pem", "tls-certificate.pem"


def make(folder: Path) -> Security:
    """Make a key that only those have who can read the folder, and return how to use it."""
    made = Security.temporary()
    for name, text in ((KEY, made.tls_client_key), (CERTIFICATE, made.tls_client_cert)):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    return load(folder)


def load(folder: Path) -> Security:
    """Return how to use a key that was made: all sides show it, and know each other by it."""
    key, certificate = str(folder / KEY), str(folder / CERTIFICATE)
    sides = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=certificate,
        **{f"tls_{side}_key": key for side in sides},
        **{f"tls_{side}_cert": certificate for side in sides},
    )
