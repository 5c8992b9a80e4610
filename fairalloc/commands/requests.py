"""What is told of requests of the form of 2019 that are no applications."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from fairalloc import console
from fairalloc.forms import Form


def tell_left_out(folder: Path | None, form: Form) -> list[dict[str, object]]:
    """The requests that are no applications by their status codes; how many for each code is said on stderr."""
    from data.importers import requests_left_out

    if folder is None or form is not Form.REQUESTS:
        return []
    found = requests_left_out(folder)
    for (code, words), number in sorted(Counter((one.status_code, one.words) for one in found).items()):
        console.err.print(f"requests.csv: {number:,} left out with status {code}: {words}", soft_wrap=True)
    return [asdict(one) for one in found]
