# SPDX-License-Identifier: MIT
"""Drawings by gnuplot, which names neither licence nor encoding."""
import os
import subprocess
import tempfile

LICENCE = "SPDX-License-Identifier: MIT"


def drawing(script, table, **values):
    """The SVG that this script makes of a table's text and its variables."""
    with tempfile.TemporaryDirectory(prefix="mapache-") as folder:
        values |= {"data": os.path.join(folder, "data"), "out": os.path.join(folder, "out")}
        with open(values["data"], "w") as data:
            data.write(table)
        words = "; ".join(f"{name}={value if isinstance(value, int) else repr(value)}" for name, value in values.items())
        subprocess.run(["gnuplot", "-e", words, script], check=True)
        with open(values["out"]) as out:
            declaration, rest = out.read().split("\n", 1)
    return f"{declaration}\n<!-- {LICENCE} -->\n{rest}"
