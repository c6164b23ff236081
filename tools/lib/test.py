# SPDX-License-Identifier: MIT
"""tools/test: see USAGE."""
import argparse
import glob
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

import build
import guest
import run
import tap

USAGE = """\
tools/test [OPTION]... [SUITE...]

Sets up what is missing, builds every preset, and runs the suites, all of them without SUITE:

  build     every preset builds, with the checks that are part of a build
  host      mm, fs and lib on this machine under ASan and UBSan, through CTest
  user      the C library under QEMU's user mode, through CTest
  NAME      tools/tests/test_NAME.py: the tools, the terminal, the SDK, the checks themselves
  GROUP     the guest's test programs /test/t_GROUP and /test/GROUP_*, each at --smp 1 and --smp 4,
            each on its own copy of the image, which must be clean afterwards; those that are about
            memory have 64M of it at --smp 4
  core      the guest's test programs once more on the kernel without optional modules, but for those
            that are about these (BEYOND_CORE_MAIN)

A single guest program is a suite too (/test/NAME), and `guest` is all of them.  --all-plugs adds one:

  plugs     the other indexes of areas and placements of mm (docs/plugging.md): all combinations through
            the model test on this machine, some through the guest's tests of memory, on kernels of their own

Each suite's seconds are printed, and
as the last line the counts.  The exit status is 0 when nothing failed."""

PRESETS = ("host", "dev", "release", "core")
HARTS = (1, 4)
MEMORY_GROUPS = ("coherence", "exhaust", "fork", "fuzz", "mem", "smp", "stress")
LITTLE_MEMORY = "64M"
FILLING = ("exhaust_bomb",)  # with as many processes as there is memory for, whatever there is
PLUGGED_KERNELS = (("list", "bestfit"), ("blocks", "bottomup"))
PLUGGED_SECONDS = 3000  # a list is walked by every call: all the areas that a space may have are 2 billion steps
GUEST_SECONDS = 300  # against hanging, not a threshold: under load a boot takes its time


def cases_in_junit(path, read_output):
    """Test cases of a JUnit report; read_output takes a case's output apart, or is None."""
    for case in xml.parse(path).getroot().iter("testcase"):
        failure = case.find("failure")
        if failure is None:
            failure = case.find("error")
        output = case.findtext("system-out") or ""
        name = case.get("name")
        results = tap.parse(output) if read_output else []
        for result in results:
            result.name = f"{name}: {result.name}"
            yield result
        if failure is not None or case.get("status") == "fail":
            if not any(result.status == "failed" for result in results):
                text = failure.text if failure is not None and failure.text else output
                yield tap.Result(name, "failed", text)
            else:
                sys.stderr.write(output)
        elif not results:
            skipped = case.find("skipped")
            yield tap.Result(name, "passed" if skipped is None else "skipped",
                             "" if skipped is None else skipped.get("message", ""))


def suite_build(_options):
    for preset in PRESETS:
        try:
            build.build(preset)
            yield tap.Result(preset, "passed")
        except build.BuildError as error:
            yield tap.Result(preset, "failed", str(error))


def suite_ctest(preset, *selection):
    def suite(_options):
        directory = build.build(preset)
        report = os.path.join(directory, "ctest.xml")
        subprocess.run(["ctest", "--test-dir", directory, "-j2", *selection,
                        "--output-junit", report, "--test-output-size-passed", "1000000",
                        "--test-output-size-failed", "1000000"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield from cases_in_junit(report, read_output=True)

    return suite


def suite_pytest(name):
    def suite(options):
        kit = build.build(options.preset)
        report = os.path.join(kit, f"pytest-{name}.xml")
        subprocess.run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                        "--junitxml", report, os.path.join(build.TREE, "tools/tests", f"test_{name}.py")],
                       cwd=build.TREE, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, MAPACHE_PRESET=options.preset))
        yield from cases_in_junit(report, read_output=False)

    return suite


def memory_for(program, smp):
    little = program in FILLING or smp > 1 and group_of(program) in MEMORY_GROUPS
    return LITTLE_MEMORY if little else guest.MEMORY


def run_guest_test(kit, name, smp, mem, scratch, seconds=GUEST_SECONDS):
    """Boot /test/NAME on a copy of the image; its results, then whether the image is clean."""
    output = bytearray()
    image = run.copy_image(kit.image, scratch) if os.path.exists(kit.image) else None
    machine = guest.Machine(kit, smp=smp, mem=mem, image=image, log=os.path.join(scratch, "log"))
    outcome = guest.run_command(machine, ["/test/" + name], timeout=seconds,
                                write=output.extend)
    text = output.decode(errors="replace")
    results = tap.parse(text)
    failed = any(result.status == "failed" for result in results)
    if not results and outcome.status == 0 and name.startswith("glibc_") and "hello" in text:
        results.append(tap.Result("says hello", "passed"))  # it has no TAP, and none of our libc
    if outcome.status != (1 if failed else 0) or not results:
        reason = {guest.STATUS_TIMEOUT: "time limit", guest.STATUS_FAILED: "panic or no start"}
        why = reason.get(outcome.status, f"exit status {outcome.status}, {len(results)} results")
        said = (outcome.log[-4000:] + outcome.panic).decode(errors="replace")
        results.append(tap.Result("exit", "failed", f"{why}\n{text}{said}"))
    if image:
        fsck = subprocess.run([kit.tool("fsck"), "-n", image], capture_output=True, text=True)
        clean = fsck.returncode == 0
        results.append(tap.Result("fsck", "passed" if clean else "failed", fsck.stdout))
    return results


def suite_guest(programs, preset=None, harts=HARTS, seconds=GUEST_SECONDS, **variant):
    def suite(options):
        kit = build.kit_of(build.build(preset or options.preset, ["mapache.elf", "image"], **variant))
        for name in programs:
            for smp in options.smp or harts:
                mem = options.mem or memory_for(name, smp)
                with tempfile.TemporaryDirectory(prefix="mapache-") as scratch:
                    for result in run_guest_test(kit, name, smp, mem, scratch, seconds):
                        result.name = f"{name} --smp {smp} --mem {mem}: {result.name}"
                        yield result

    return suite


def guest_programs(preset):
    """The programs that the image has in /test."""
    directory = build.build(preset, ["build.ninja"])
    with open(os.path.join(directory, "stage.list")) as stage:
        paths = [line.split()[2] for line in stage]
    return sorted(path.removeprefix("/test/") for path in paths if path.startswith("/test/"))


def group_of(program):
    """t_fork is a group by itself, the group of libc_stdio is libc."""
    return program.removeprefix("t_").split("_")[0]


def suite_plugs(programs):
    """mm's other indexes and placements, in all combinations; see docs/plugging.md."""
    on_host = suite_ctest("host", "-C", "all", "-R", "^mm_(area|place|model)_")
    about_memory = [name for name in programs if group_of(name) in MEMORY_GROUPS]

    def suite(options):
        build.build("host", ["mm_all_plugs"])
        yield from on_host(options)
        for areas, place in PLUGGED_KERNELS:
            # Best fit puts a map where it fits best, which is not at random.
            fitting = [name for name in about_memory if (place, name) != ("bestfit", "mem_random")]
            plugged = suite_guest(fitting, "dev", (4,), PLUGGED_SECONDS, name="dev-plugs", options=(
                f"-DMAPACHE_MM_AREAS={areas}", f"-DMAPACHE_MM_PLACE={place}"))
            for result in plugged(options):
                result.name = f"{areas}, {place}: {result.name}"
                yield result

    return suite


def is_about_core(name):
    for source in (name + ".c", os.path.join(name, "main.c")):
        source = os.path.join(build.TREE, "usr/test", source)
        if os.path.exists(source):
            with open(source) as text:
                return "beyond_core" not in text.read().lower()
    return True


def all_suites(programs):
    """Name -> function of the options, in the order in which they run."""
    suites = {"build": suite_build, "host": suite_ctest("host"),
              "user": suite_ctest("dev", "-LE", "guest")}
    for path in sorted(glob.glob(os.path.join(build.TREE, "tools/tests/test_*.py"))):
        name = os.path.basename(path)[len("test_"):-len(".py")]
        suites[name] = suite_pytest(name)
    for group in sorted({group_of(name) for name in programs}):
        suites[group] = suite_guest([name for name in programs if group_of(name) == group])
    suites["core"] = suite_guest(list(filter(is_about_core, programs)), preset="core", harts=(1,))
    return suites


def run_suite(name, suite, options):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    began = time.monotonic()
    try:
        for result in suite(options):
            counts[result.status] += 1
            if result.status == "failed":
                print(f"FAILED {name}: {result.name}\n{result.why}", flush=True)
            elif options.verbose:
                print(f"{result.status} {name}: {result.name} {result.why}", flush=True)
    except (build.BuildError, OSError) as error:
        counts["failed"] += 1
        print(f"FAILED {name}: {error}", flush=True)
    print(f"{name:12} {summary(counts):40} {time.monotonic() - began:7.1f} s", flush=True)
    return counts


def summary(counts):
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def main(argv):
    parser = argparse.ArgumentParser(prog="tools/test", description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="dev", help="for guest tests (%(default)s)")
    parser.add_argument("--smp", type=int, action="append", metavar="N", help="only this many harts")
    parser.add_argument("--mem", metavar="SIZE", help="so much memory")
    parser.add_argument("-v", "--verbose", action="store_true", help="each test case")
    parser.add_argument("--all-plugs", action="store_true", help="also the suite `plugs`")
    parser.add_argument("--list", action="store_true", help="only name the suites")
    parser.add_argument("suite", nargs="*")
    options = parser.parse_args(argv)
    programs = guest_programs(options.preset)
    suites = all_suites(programs)
    singles = {name: suite_guest([name]) for name in programs}
    singles["guest"] = suite_guest(programs)
    singles["plugs"] = suite_plugs(programs)
    unknown = [name for name in options.suite if name not in suites and name not in singles]
    if unknown:
        parser.error(f"no such suite: {' '.join(unknown)}")
    if options.list:
        print("\n".join(suites))
        return 0
    total = {"passed": 0, "failed": 0, "skipped": 0}
    chosen = options.suite or list(suites)
    for name in chosen + ["plugs"] * options.all_plugs:
        counts = run_suite(name, suites.get(name) or singles[name], options)
        for status in total:
            total[status] += counts[status]
    print(summary(total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
