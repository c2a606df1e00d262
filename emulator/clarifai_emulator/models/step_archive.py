"""Reads what the archive of an uploaded pipeline step holds, and says what is missing in it."""

from __future__ import annotations

import tarfile
from typing import BinaryIO

# What the SDK's own builder asks of a step's folder (12.5, ``PipelineStepBuilder``).
_NEEDED = ("config.yaml", "requirements.txt", "1/pipeline_step.py")
_MOST_BYTES = 4 * 2**30
_MOST_FILES = 100_000


def step_archive_problem(file: BinaryIO) -> str:
    """Return why no step can be built of an archive; empty when one can. Nothing is unpacked."""
    file.seek(0)
    there: set[str] = set()
    size = 0
    try:
        with tarfile.open(fileobj=file) as archive:
            for each in archive:
                size += each.size
                if size > _MOST_BYTES or len(there) > _MOST_FILES:
                    return (
                        f"The archive holds more than {_MOST_BYTES} bytes or {_MOST_FILES} files. Leave data out."
                    )
                if each.isfile():
                    there.add(each.name.removeprefix("./"))
    except (tarfile.TarError, EOFError, OSError) as error:
        return f"The archive cannot be read: {error}. Upload the step's folder as a tar archive (gzip is fine)."
    missing = [name for name in _NEEDED if name not in there]
    if missing:
        return f"The archive has no {', no '.join(missing)}; a step's folder has {', '.join(_NEEDED)}. Add it."
    return ""
