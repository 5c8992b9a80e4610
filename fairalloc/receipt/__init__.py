"""An applicant's receipt: what proves, against the city, that they applied, with what, and as which in line.

Invariants:
- a receipt is a file of at most 4,000 bytes that holds all it needs to be checked against a published head;
- it is for its holder: with its salt, anyone can show that the record is theirs.
"""

from fairalloc.receipt.against_bundle import check_bundle
from fairalloc.receipt.against_chain import check_chain
from fairalloc.receipt.checking import Step, check_head, check_receipt
from fairalloc.receipt.issuing import Issuer, not_on_chain
from fairalloc.receipt.model import Chain, Mined, Receipt, Record
from fairalloc.receipt.page import qr_text, render_receipt
from fairalloc.receipt.reading import LIMIT, parse_receipt, read_receipt, receipt_files

__all__ = [
    "LIMIT",
    "Chain",
    "Issuer",
    "Mined",
    "Receipt",
    "Record",
    "Step",
    "check_bundle",
    "check_chain",
    "check_head",
    "check_receipt",
    "not_on_chain",
    "parse_receipt",
    "qr_text",
    "read_receipt",
    "receipt_files",
    "render_receipt",
]
