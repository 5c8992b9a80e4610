"""What a monitor keeps on disk: a file that it cannot read is told so."""

import pytest

from fairalloc.errors import InvalidDataError
from fairalloc.monitor.record import read_record


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format":"fairalloc-heads/1"}', '{"format":"else"}'])
def test_a_damaged_file_of_heads_is_told_so(tmp_path, content):
    (tmp_path / "heads.json").write_text(content)
    with pytest.raises(InvalidDataError, match="no file of verified heads"):
        read_record(tmp_path / "heads.json")
