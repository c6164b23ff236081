# SPDX-License-Identifier: MIT
"""start.py TOOL [ARGUMENT]...: run TOOL.py, which lies beside this.

An interrupt that ends it is said in a line and not by a traceback, one that comes while it still imports, too."""
import sys

name = sys.argv[1]
try:
    import os
    import runpy

    sys.argv[:2] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")]
    runpy.run_path(sys.argv[0], run_name="__main__")
except KeyboardInterrupt:
    print(f"{name}: interrupted", file=sys.stderr)
    sys.exit(130)
