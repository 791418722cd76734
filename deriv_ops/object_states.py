"""What Snakemake knows of objects: listed by folder, and remembered while it runs.

Its storage plugins ask for one object after the other, several times for each job, and its main
process waits for each answer. Here a folder is listed once for all that is planned, and what was
seen is taken to stay as it is until the run itself removes it, as Snakemake does before each job
whose results are there. What isn't known is asked for each time.
"""

from __future__ import annotations

import posixpath
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_storage_plugins.io import IOCacheStorageInterface, Mtime
from snakemake_interface_storage_plugins.storage_object import StorageObjectRead, StorageObjectWrite

from deriv_ops.errors import DerivOpsError
from deriv_ops.locations import ObjectState, list_objects, location, object_state


@cache
def remembering(provider: str) -> str:
    """Make the objects of a provider of Snakemake's remember. Returns its name."""
    plugin: Any = import_module(f"snakemake_storage_plugin_{provider}")
    # The provider looks its class of objects up by this name whenever it makes one.
    plugin.StorageObject = type("StorageObject", (_Remembering, plugin.StorageObject), {})
    return provider


class _Remembering(StorageObjectRead, StorageObjectWrite):  # type: ignore[misc]
    """An object of a storage plugin's, with these methods in place of the plugin's own."""

    seen: ClassVar[dict[str, ObjectState]] = {}
    listed: ClassVar[set[str]] = set()

    def get_inventory_parent(self) -> str:
        """Return the name of the folder that `inventory` lists."""
        return str(self.cache_key(posixpath.dirname(self.local_suffix())))

    async def inventory(self, cache: IOCacheStorageInterface) -> None:
        """Say what is in the folder of the object; Snakemake takes it that no more is there."""
        listed = cache.exists_in_storage.has_inventory
        if self.get_inventory_parent() in listed:
            return
        for name, state in self._list().items():
            key = posixpath.join(self.get_inventory_parent(), name)
            cache.exists_in_storage[key] = True
            cache.mtime[key] = Mtime(storage=state.modified)
            cache.size[key] = state.size
        listed.add(self.get_inventory_parent())

    def _list(self) -> dict[str, ObjectState]:
        folder = location(self.query).parent
        try:
            found = list_objects(folder)
        except DerivOpsError as error:
            raise WorkflowError(str(error)) from None
        self.listed.add(str(folder))
        self.seen.update({f"{folder}/{name}": state for name, state in found.items()})
        return found

    def _state(self) -> ObjectState:
        # Snakemake takes no inventory of files that no rule makes.
        if self.query not in self.seen and posixpath.dirname(self.query) not in self.listed:
            self._list()
        if self.query not in self.seen:
            self.seen[self.query] = object_state(location(self.query))
        return self.seen[self.query]

    def exists(self) -> bool:
        """Return whether the object is there."""
        try:
            self._state()
        except FileNotFoundError:
            return False
        return True

    def mtime(self) -> float:
        """Return when the object was written."""
        return self._state().modified

    def size(self) -> int:
        """Return the number of bytes."""
        return self._state().size

    def store_object(self) -> None:
        """Write the object, as the plugin does."""
        self.seen.pop(self.query, None)
        super().store_object()

    def remove(self) -> None:
        """Remove the object, and never the bucket."""
        self.seen.pop(self.query, None)
        path: Any = location(self.query)
        path.fs.rm_file(path.path)
