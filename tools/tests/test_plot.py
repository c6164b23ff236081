# SPDX-License-Identifier: MIT
"""The figures of docs/ are what the programs count today (tools/plot)."""
import re
import subprocess
import xml.etree.ElementTree as xml


def test_fragmentation_is_as_docs_show_it(tree, tmp_path):
    subprocess.run([tree / "tools/plot", tmp_path], check=True)
    table, drawing = tmp_path / "fragmentation.tsv", (tmp_path / "fragmentation.svg").read_text()
    shown = tree / "docs/fragmentation.svg"
    assert table.read_text() == (tree / "docs/fragmentation.tsv").read_text(), \
        "it differs: run `tools/plot docs`, and look at what docs/plugging.md says of it"
    xml.fromstring(drawing)
    version = re.search("Produced by (GNUPLOT [^<]*)</desc>", drawing)[1]
    if version in shown.read_text():
        assert drawing == shown.read_text()
