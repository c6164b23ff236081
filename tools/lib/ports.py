# SPDX-License-Identifier: MIT
"""tools/ports: see USAGE.

A port is a folder usr/ports/NAME with a script `build`, whose head says what it is made from:

    # source: PACKAGE      Debian's source package; none: the sources beside the script
    # needs: NAME...       ports that must be there first

The script runs in the unpacked, patched source (or its own folder) and puts what it makes into $OUT.  The environment
names the compiler (CC, HOST) and, for each port it needs, that one's folder (MUSL for musl).

What was built is kept, outside the tree, in a folder that is named after port, Debian's version and a
digest of the recipe, the compiler and what it needs: a clean clone builds nothing again.  A file `done`
in it is written last.  apt gets folders of its own, so that no right and no setting of the system is
needed to ask it for sources; where they are is read from the system's list of binary packages.
"""
import argparse
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

import build

USAGE = """\
tools/ports [--update] [NAME...]

Builds programs for Mapache from Debian's source packages, for riscv64 and linked statically, all of
usr/ports or those named, and prints the folder of each.  Nothing is built twice: what is there is
kept in $MAPACHE_CACHE (default: $XDG_CACHE_HOME/mapache, ~/.cache/mapache) by its version.
--update asks Debian whether there is a newer version first.
    tools/run --put "$(tools/ports dash)/dash:/bin/dash" -- dash -c 'echo hello'
Exit status: 0; 1 when a source could not be had or a build failed; 2 for a usage error."""

PORTS = os.path.join(build.TREE, "usr/ports")
CROSS = "riscv64-linux-gnu"


class PortError(Exception):
    """A source could not be had, or a build failed: in words for the user."""


def cache():
    base = os.environ.get("MAPACHE_CACHE")
    return base or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mapache")


def names():
    return sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob(os.path.join(PORTS, "*/build")))


def run(command, what, **options):
    """Run quietly; the output's end becomes the error's text."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise PortError(f"{what} failed:\n" + "\n".join(text.splitlines()[-25:]))
    return text


def archives():
    """Where the system's apt has Debian's packages from: (URI, release, component)."""
    fields = "$(ORIGIN) $(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = run(["apt-get", "indextargets", "--format", fields], "asking apt where Debian is")
    rows = {tuple(line.split()[2:5]) for line in targets.splitlines()
            if line.startswith("Debian Packages ")}
    return sorted(row for row in rows if len(row) == 3 and "security" not in row[1])


class Debian:
    """Debian's source packages, through an apt of our own."""

    def __init__(self):
        self.home = os.path.join(cache(), "apt")
        self.known = False

    def options(self):
        settings = {"Dir::Etc::sourcelist": "sources.list", "Dir::Etc::sourceparts": "none",
                    "Dir::State::lists": "lists", "Dir::Cache": "cache"}
        pairs = [f"{key}={os.path.join(self.home, value)}" for key, value in settings.items()]
        return [word for pair in pairs + ["APT::Sandbox::User="] for word in ("-o", pair)]

    def learn(self):
        """Which versions there are; once a run."""
        if self.known:
            return
        for folder in ("none", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.home, folder), exist_ok=True)
        rows = archives()
        if not rows and os.geteuid() == 0:
            run(["apt-get", "update"], "asking Debian for its list of packages")
            rows = archives()
        if not rows:
            raise PortError("apt knows no archive of Debian; `apt-get update` first")
        with open(os.path.join(self.home, "sources.list"), "w") as file:
            file.writelines("deb-src " + " ".join(row) + "\n" for row in rows)
        run(["apt-get", *self.options(), "update"], "asking Debian for its list of sources")
        self.known = True

    def version(self, package):
        self.learn()
        uris = run(["apt-get", *self.options(), "source", "--print-uris", "--download-only", package],
                   f"looking for the source package {package}", cwd="/")
        name = re.search(r" (\S+)_(\S+)\.dsc ", uris)
        if not name:
            raise PortError(f"Debian has no source package {package}")
        return name.group(2)

    def unpack(self, package, folder):
        """The patched source of the package: its folder, inside `folder`."""
        self.learn()
        run(["apt-get", *self.options(), "source", package], f"fetching the source of {package}", cwd=folder)
        return next(entry.path for entry in os.scandir(folder) if entry.is_dir())


class Port:
    def __init__(self, name):
        self.name = name
        self.recipe = os.path.join(PORTS, name)
        head = open(os.path.join(self.recipe, "build")).read()
        source = re.search(r"^# source: (\S+)", head, re.M)
        self.package = source and source.group(1)
        needs = re.search(r"^# needs: (.+)", head, re.M)
        self.needs = [Port(other) for other in (needs.group(1).split() if needs else [])]
        self.kept = os.path.join(cache(), "ports")

    def digest(self):
        """Changes when what is built would."""
        digest = hashlib.sha256()
        for path in sorted(glob.glob(os.path.join(self.recipe, "*.c")) + [os.path.join(self.recipe, "build")]):
            digest.update(open(path, "rb").read())
        digest.update(run([CROSS + "-gcc", "--version"], "asking for the compiler's version").encode())
        for port in self.needs:
            digest.update(port.digest().encode())
        return digest.hexdigest()[:12]

    def built(self, version="*"):
        """The folder of the newest that is there, or None."""
        found = glob.glob(os.path.join(self.kept, f"{self.name}_{version}_{self.digest()}", "done"))
        return os.path.dirname(max(found, key=os.path.getmtime)) if found else None

    def make(self, debian, update):
        """The folder with what was built; builds when it is not there."""
        for port in self.needs:
            port.make(debian, update)
        if not update and self.built():
            return self.built()
        version = debian.version(self.package) if self.package else "own"
        return self.built(version) or self.build(debian, version)

    def build(self, debian, version):
        out = os.path.join(self.kept, f"{self.name}_{version}_{self.digest()}")
        work = out + ".work"
        for folder in (out, work):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
        print(f"mapache: building {self.name} {version} ...", file=sys.stderr)
        try:
            self.run_recipe(debian.unpack(self.package, work) if self.package else self.recipe, out)
            open(os.path.join(out, "done"), "w").close()
        except BaseException:
            shutil.rmtree(out)
            raise
        finally:
            shutil.rmtree(work)
        return out

    def run_recipe(self, source, out):
        environment = dict(os.environ, OUT=out, HOST=CROSS, CC=CROSS + "-gcc", RECIPE=self.recipe,
                           JOBS=str(os.cpu_count() or 1), LC_ALL="C", SOURCE_DATE_EPOCH="0")
        environment.update({port.name.upper(): port.built() for port in self.needs})
        run(["bash", "-eu", os.path.join(self.recipe, "build")], f"building {self.name}",
            cwd=source, env=environment)


def make(wanted, update=False):
    """The folders of these ports, built when they are not there.  PortError."""
    os.makedirs(os.path.join(cache(), "ports"), exist_ok=True)
    with open(os.path.join(cache(), "ports", ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        debian = Debian()
        return [Port(name).make(debian, update) for name in wanted]


def main(argv):
    parser = argparse.ArgumentParser(prog="tools/ports", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("name", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    unknown = sorted(set(options.name) - set(names()))
    if unknown:
        parser.error(f"no such port: {' '.join(unknown)}; there are: {' '.join(names())}")
    try:
        for folder in make(options.name or names(), options.update):
            print(folder)
    except PortError as error:
        sys.exit(f"ports: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
