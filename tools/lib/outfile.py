# SPDX-License-Identifier: MIT
"""Files that a tool writes: whole, or left as they were."""
import os
import tempfile


def is_special(path):
    """A terminal, a pipe, /dev/null: nothing that another file could take the place of."""
    return os.path.exists(path) and not os.path.isfile(path)


def fault_of(path):
    """Why this cannot be written, as it can be known before; None: it can."""
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        return "it is a folder"
    if not os.path.isdir(folder):
        return f"there is no {folder}"
    if is_special(path):
        return None if os.access(path, os.W_OK) else "it is not permitted"
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"no file can be made in {folder}: {error.strerror}"
    return None


def write(path, text):
    if is_special(path):
        with open(path, "w") as out:
            out.write(text)
        return
    path = os.path.realpath(path)
    beside = f"{path}.{os.getpid()}"
    try:
        with open(beside, "w") as out:
            out.write(text)
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
