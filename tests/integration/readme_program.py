#!/usr/bin/env python3
"""The program in the README is the one that is built, and says what it says."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
build = pathlib.Path(os.environ.get("STET_BUILD", root / "build" / "dev"))

shown = re.search(r"```c\n(.*?)```", (root / "README.md").read_text(), re.S)
built = (root / "examples" / "first" / "main.c").read_text()
if shown is None or shown.group(1) != built:
    sys.exit("README.md shows another program than examples/first/main.c")

with tempfile.TemporaryDirectory() as folder:
    ran = subprocess.run([build.resolve() / "examples" / "first"], cwd=folder,
                         capture_output=True, text=True, timeout=60)
if ran.returncode != 0 or ran.stdout != '{"turn":0}\n':
    sys.exit(f"it ended with {ran.returncode}: {ran.stdout!r} {ran.stderr!r}")
