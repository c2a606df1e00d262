"""Each reader gets over its seeds, and over what it failed on once."""

from __future__ import annotations

import pytest

from fuzz.readers import READERS, cases, reader


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in READERS for case in cases(name)])
def test_what_strangers_send_is_read_or_refused(name: str, case: str) -> None:
    reader(name).read(cases(name)[case])
