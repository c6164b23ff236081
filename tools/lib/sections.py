# SPDX-License-Identifier: MIT
"""Sections of a document that a program writes, each between two lines:

    <!-- NAME -->
    <!-- end of NAME -->

The name is the program's, or says which of several things the section shows."""
import re

import outfile

SECTION = re.compile(r"^<!-- (\S[^\n]*) -->\n(.*?)^<!-- end of \1 -->\n", re.S | re.M)


def of(text):
    """What stands in each section, by its name."""
    return {match[1]: match[2] for match in SECTION.finditer(text)}


def replaced(text, new):
    """The document with new[name] in these sections.  KeyError: it has none of such a name."""
    missing = new.keys() - of(text).keys()
    if missing:
        raise KeyError(f"no section {', '.join(missing)}")
    return SECTION.sub(lambda match: f"<!-- {match[1]} -->\n{new.get(match[1], match[2])}<!-- end of {match[1]} -->\n",
                       text)


def write(path, new):
    """The same to a file."""
    with open(path) as file:
        text = replaced(file.read(), new)
    outfile.write(path, text)
