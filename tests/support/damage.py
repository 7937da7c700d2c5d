"""Damaged files, and the assertion that a reader refuses them in one line or reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from errors import InputError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content of a file with one part of it replaced by random bytes, or cut out."""
    ends = st.integers(0, len(content))
    begin, end = sorted((draw(ends), draw(ends)))
    return content[:begin] + draw(st.binary()) + content[end:]


@st.composite
def edited(draw: st.DrawFn, document: Any) -> Any:
    """A JSON document with one value removed or replaced by a random one; changed in place."""
    *above, key = draw(st.sampled_from(_paths(document)))
    parent = document
    for step in above:
        parent = parent[step]
    if draw(st.booleans()):
        del parent[key]
    else:
        parent[key] = draw(json_values)
    return document


def _paths(value: Any) -> list[tuple[Any, ...]]:
    """The path of every value within a JSON document."""
    if not isinstance(value, dict | list):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [(key, *path) for key, child in inner for path in ((), *_paths(child))]


def reads_or_is_refused(read: Callable[[], object], path: Path) -> None:
    """Assert that a reader succeeds, or raises an InputError of one line that names the file."""
    message = None
    try:
        read()
    except InputError as error:
        message = str(error)
    if message is not None:
        assert str(path) in message
        assert len(message.splitlines()) == 1
