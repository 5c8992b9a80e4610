"""The embedded node: a chain of one's own that survives crashes and that anyone can execute again."""

from chain.node.embedded import Clock, EmbeddedNode
from chain.node.export import export_journal, replica_from_export
from chain.node.manager import Preference, open_node
from chain.node.raw_transaction import TransactionRefusedError

__all__ = [
    "Clock",
    "EmbeddedNode",
    "Preference",
    "TransactionRefusedError",
    "export_journal",
    "open_node",
    "replica_from_export",
]
