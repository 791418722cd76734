"""Texts that a Parquet file carries in its footer, read without the rest of the footer.

The footer describes every column, and for a frame of 1,000 shares a library takes milliseconds to
read it. A catalog has thousands of results, and what is asked of each is two texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deriv_ops.locations import read_end

MAGIC = b"PAR1"
# A text in Thrift's compact protocol: this byte when the field before it has the number before,
# the length as a varint, and the text in UTF-8. A footer's pairs are of two such fields.
_TEXT = b"\x18"
# Most footers are read by the first request.
_FIRST_READ = 512 * 2**10


def read_texts(path: Path, keys: Iterable[str]) -> dict[str, str]:
    """Return the texts of these keys; one that isn't there is left out.

    Raises as `read_footer` does.
    """
    footer = read_footer(path)
    found = {key: find_text(footer, key) for key in keys}
    return {key: text for key, text in found.items() if text is not None}


def read_footer(path: Path) -> bytes:
    """Return the footer of a file.

    Raises `ValueError` when the file isn't a Parquet file, and `OSError` when it can't be read.
    """
    end = read_end(path, _FIRST_READ)
    length = int.from_bytes(end[-8:-4], "little") + 8
    if end[-4:] == MAGIC and length > len(end):
        end = read_end(path, length)
    if end[-4:] != MAGIC or length > len(end):
        raise ValueError("it doesn't end as a Parquet file does")
    return end[-length:-8]


def find_text(footer: bytes, key: str) -> str | None:
    """Return the text of a key; None if there is none. The pairs are near the end of a footer."""
    mark = _TEXT + bytes([len(key)]) + key.encode() + _TEXT
    at = footer.rfind(mark)
    if at < 0:
        return None
    at += len(mark)
    length = shift = 0
    while footer[at] & 0x80:
        length |= (footer[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    length |= footer[at] << shift
    return footer[at + 1 : at + 1 + length].decode()
