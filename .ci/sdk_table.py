"""Write the table of the SDK's published versions from their wheels.

.venv/bin/pip download --no-deps --dest WHEELS clarifai==VERSION     # once for each version
.venv/bin/python .ci/sdk_table.py WHEELS
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.version import Version

from clarifai_emulator.contracts.stubs.sdk_surface import SdkSurface, surface_of
from clarifai_emulator.contracts.stubs.sdk_versions import TABLE, table_of


def main(wheels: Path) -> None:
    surfaces: list[SdkSurface] = []
    for wheel in sorted(wheels.glob("clarifai-*.whl"), key=lambda each: Version(each.name.split("-")[1])):
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [each for each in archive.namelist() if each.startswith("clarifai/")])
            found = surface_of(Path(folder, "clarifai"))
        if found is not None:
            surfaces.append(found.of_version(wheel.name.split("-")[1]))
    TABLE.write_text(table_of(surfaces))
    print(f"{TABLE}: {len(surfaces)} versions, {TABLE.stat().st_size} bytes")


main(Path(sys.argv[1]))
