"""The compact protocol of Thrift, in which Parquet describes its files: only what is written.

A structure is its fields one after the other, by their numbers, and a zero byte; see
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

_TRUE, _FALSE, _INT32, _INT64, _BINARY, _LIST, _STRUCT = 1, 2, 5, 6, 8, 9, 12

STOP = b"\0"


class Int64(int):
    """A number of 64 bits; a plain `int` is one of 32."""


class Encoded(bytes):
    """A structure that is encoded already."""


Value: TypeAlias = bool | int | str | bytes | Sequence["Value"] | Mapping[int, "Value"]


def struct(fields: Mapping[int, Value]) -> Encoded:
    """Encode a structure of these fields, which are in the order of their numbers.

    >>> struct({1: 5, 3: "ab", 4: [{1: Int64(-1)}], 5: True}).hex(" ")
    '15 0a 28 02 61 62 19 1c 16 01 00 11 00'
    """
    numbers = list(fields)
    steps = [number - before for number, before in zip(numbers, [0, *numbers[:-1]], strict=True)]
    parts = [field(step, value) for step, value in zip(steps, fields.values(), strict=True)]
    return Encoded(b"".join(parts) + STOP)


def field(step: int, value: Value) -> bytes:
    """Encode a field whose number is so much more than that of the one before."""
    kind, text = _encode(value)
    return bytes([step << 4 | kind]) + text


def _encode(value: Value) -> tuple[int, bytes]:
    """Return the type of a value and its text."""
    if isinstance(value, bool):
        return (_TRUE if value else _FALSE), b""
    if isinstance(value, int):
        kind = _INT64 if isinstance(value, Int64) else _INT32
        return kind, _varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if isinstance(value, Encoded):
        return _STRUCT, value
    if isinstance(value, str | bytes):
        text = value.encode() if isinstance(value, str) else value
        return _BINARY, _varint(len(text)) + text
    if isinstance(value, Mapping):
        return _STRUCT, struct(value)
    items = [_encode(item) for item in value]
    kind, count = items[0][0], len(items)
    size = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _varint(count)
    return _LIST, size + b"".join(text for _, text in items)


def _varint(number: int) -> bytes:
    """Encode a number that isn't negative: seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
