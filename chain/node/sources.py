"""Where a follower reads a chain's journal from: a served node, an export, or a folder; none of them is believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from chain.node.blocks import JournalBlock, JournalHeader
from chain.node.export import read_export
from chain.node.gateway import BLOCKS, HEADER
from chain.node.journal import JOURNAL_FILE, executed_blocks, executed_height, snapshot
from chain.rpc_node import RpcNode
from fairalloc.errors import ChainUnavailableError, UsageError

_SHAPE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading an answer of another shape can raise."""


class Source(Protocol):
    """A chain's journal as somebody else gives it out: executed blocks only, with the hashes they are said to have."""

    def header(self) -> JournalHeader:
        """What the chain is made from.

        Raises:
            ChainUnavailableError: the source cannot be reached or read.
        """

    def height(self) -> int:
        """The number of its last block."""

    def blocks(self, first: int, count: int) -> Sequence[JournalBlock]:
        """At most so many blocks from a number on; none where there are none."""


def open_source(name: str) -> Source:
    """The source of a name: an URL, an export's file, a journal's folder or that of an installation.

    Raises:
        UsageError: there is nothing of that name.
        ChainUnavailableError: nothing answers at the URL.
    """
    if name.startswith(("http://", "https://")):
        return _Served(name)
    path = Path(name)
    if path.is_file():
        return _Exported(path)
    for folder in (path, path / "node"):
        if (folder / JOURNAL_FILE).is_file():
            return _Kept(folder)
    raise UsageError(
        "follow.no-source", f"{name} is no URL, no export and no folder with a chain", "name one of the three"
    )


class _Served:
    """A `node start` of somebody else's."""

    def __init__(self, url: str) -> None:
        self._provider = RpcNode(url).w3.provider

    def header(self) -> JournalHeader:
        """See :class:`Source`."""
        try:
            return JournalHeader.from_json(self._ask(HEADER)["header"])
        except _SHAPE as error:
            raise _unreadable(error) from None

    def height(self) -> int:
        """See :class:`Source`."""
        try:
            return int(self._ask(HEADER)["blocks"])
        except _SHAPE as error:
            raise _unreadable(error) from None

    def blocks(self, first: int, count: int) -> Sequence[JournalBlock]:
        """See :class:`Source`."""
        try:
            return [JournalBlock.from_json(block) for block in self._ask(BLOCKS, first, count)]
        except _SHAPE as error:
            raise _unreadable(error) from None

    def _ask(self, method: str, *params: int) -> Any:
        answer = self._provider.make_request(method, list(params))  # type: ignore[arg-type]
        if "error" in answer:
            raise ChainUnavailableError(
                "follow.no-journal",
                "the node there does not give out its journal",
                "name the URL of a `fairalloc node start`, or an export",
            )
        return answer["result"]


class _Exported:
    """A file that `node export` wrote, read again when it was replaced."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._header, self._blocks = self._read()

    def header(self) -> JournalHeader:
        """See :class:`Source`."""
        self._header, self._blocks = self._read()
        return self._header

    def height(self) -> int:
        """See :class:`Source`."""
        return len(self._blocks)

    def blocks(self, first: int, count: int) -> Sequence[JournalBlock]:
        """See :class:`Source`."""
        return self._blocks[first - 1 : first - 1 + count]

    def _read(self) -> tuple[JournalHeader, list[JournalBlock]]:
        try:
            state = self._file.stat()
        except OSError as error:
            raise _unreadable(error) from None
        seen = (state.st_mtime_ns, state.st_ino)
        if seen == self._seen:
            return self._header, self._blocks
        self._seen = seen
        return read_export(self._file)


class _Kept:
    """A journal in a folder, which its node may be writing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def header(self) -> JournalHeader:
        """See :class:`Source`."""
        with snapshot(self._folder) as (header, _):
            return header

    def height(self) -> int:
        """See :class:`Source`."""
        return (executed_height(self._folder) or (0, b""))[0]

    def blocks(self, first: int, count: int) -> Sequence[JournalBlock]:
        """See :class:`Source`."""
        return executed_blocks(self._folder, first, count)


def _unreadable(error: Exception) -> ChainUnavailableError:
    return ChainUnavailableError(
        "follow.unreadable",
        f"the source cannot be read as a chain's journal ({type(error).__name__})",
        "check what the name leads to, and that it runs a version of this program",
    )
