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


def missing_of(text, names):
    """Those of the names that no section of the document has."""
    return sorted(set(names) - of(text).keys())


def fault_of(path, name):
    """Why this section of a file cannot be written, as it can be known before; None: it can."""
    try:
        with open(path) as file:
            missing = missing_of(file.read(), [name])
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return f"it has no section {name}" if missing else outfile.fault_of(path)


def replaced(text, new):
    """The document with new[name] in these sections.  KeyError: it has none of such a name."""
    missing = missing_of(text, new)
    if missing:
        raise KeyError(f"no section {', '.join(missing)}")
    return SECTION.sub(lambda match: f"<!-- {match[1]} -->\n{new.get(match[1], match[2])}<!-- end of {match[1]} -->\n",
                       text)


def write(path, new):
    """The same to a file."""
    with open(path) as file:
        text = replaced(file.read(), new)
    outfile.write(path, text)
