# SPDX-License-Identifier: MIT
"""Programs that were written for Linux run as they are: usr/ports, built from Debian's sources.

Where user emulation of the same binary says what its output should be, that is compared with Mapache's,
bytes for bytes: the same files, the same environment, and in Mapache's place qemu-riscv64, which passes
system calls to this machine's Linux.  Where it cannot be asked, the test says why, and asserts itself."""
import difflib
import os
import pathlib
import re
import subprocess

import pexpect
import pytest

import ports

TREE = pathlib.Path(__file__).resolve().parents[2]
RECIPES = TREE / "usr/ports"
PRESET = os.environ.get("MAPACHE_PRESET", "dev")
EMULATOR = "/usr/bin/qemu-riscv64-static"
ENVIRONMENT = {"TZ": "UTC", "LC_ALL": "C", "HOME": "/", "USER": "root", "TERM": "dumb"}
SECONDS = 280

HARTS = pytest.mark.parametrize("harts", [1, 4])


def program(port, name=None):
    """Path of a built program."""
    return pathlib.Path(ports.make([port])[0]) / (name or port)


def guest(tmp_path, harts, script, files):
    """Run a script in an empty directory of Mapache's disk, by busybox's shell, with its applets in PATH, and
    files (name -> file here) in /root before them.  As in emulation no terminal is in sight; the script's
    standard error is shown when it fails."""
    job = tmp_path / "job"
    exports = "".join(f"export {name}={value}\n" for name, value in ENVIRONMENT.items())
    job.write_text(f"{exports}mkdir /applets /root/work\n/root/busybox --install -s /applets\n"
                   f"export PATH=/root:/applets\ncd /root/work\n(\n{script}\n) </dev/null >../out 2>../err\n"
                   "status=$?\ncat ../out\n[ $status = 0 ] || tail -n 20 ../err\nexit $status\n")
    files = {**files, "busybox": program("busybox")}
    puts = [word for name, file in files.items() for word in ("--put", f"{file}:/root/{name}")]
    return subprocess.run(
        [TREE / "tools/run", "--preset", PRESET, "--smp", str(harts), "--mem", "512M", "--timeout", str(SECONDS),
         "--put", f"{job}:/root/job", *puts, "--", "/root/busybox", "sh", "/root/job"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS + 60)


class Emulated:
    """A directory whose programs are run by user emulation, through a script for each in its PATH."""

    def __init__(self, tmp_path):
        self.apps = tmp_path / "apps"
        self.work = tmp_path / "work"
        self.apps.mkdir()
        self.work.mkdir()

    def add(self, name, file, argv0=None):
        script = self.apps / name
        script.write_text(f'#!/bin/sh\nexec {EMULATOR} -0 {argv0 or name} {file} "$@"\n')
        script.chmod(0o755)

    def run(self, command, script=None):
        return subprocess.run(command, cwd=self.work, env={**ENVIRONMENT, "PATH": f"{self.apps}"}, stdin=script or
                              subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)


def applets():
    """Of busybox: those that usr/ports/busybox/applets.txt names, each with its command, in order."""
    lines = (RECIPES / "busybox/applets.txt").read_text().splitlines()
    return [line.split(None, 1) for line in lines if line and not line.startswith("#")]


def with_applets(emulated, file):
    listed = subprocess.run([EMULATOR, file, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        emulated.add(name, file)
    return listed


def same(mapache, linux):
    assert mapache.returncode == linux.returncode, mapache.stderr.decode() + mapache.stdout.decode(errors="replace")
    lines = [run.stdout.decode(errors="replace").splitlines() for run in (linux, mapache)]
    differences = list(difflib.unified_diff(*lines, "Linux", "Mapache", lineterm="", n=8))
    assert not differences, "\n".join(differences)


# --- The C libraries ---------------------------------------------------------------------------------


@HARTS
@pytest.mark.parametrize("name", ["hello", "hello-musl"])
def test_hello(tmp_path, harts, name):
    file = program("hello", name)
    emulated = Emulated(tmp_path)
    same(guest(tmp_path, harts, "hello you 7 2>/dev/null", {"hello": file}),
         emulated.run([EMULATOR, file, "you", "7"]))


@HARTS
@pytest.mark.parametrize("name", ["threads", "threads-musl"])
def test_threads(tmp_path, harts, name):
    """No oracle is needed: the program asserts what POSIX says.  Emulation lacks robust lists."""
    outcome = guest(tmp_path, harts, "threads", {"threads": program("threads", name)})
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    source = (RECIPES / "threads/threads.c").read_text()
    names = re.findall(r'^\t\{ ?"(\w+)", case_', source, re.M)
    assert outcome.stdout.decode().split("\n") == [f"ok {name}" for name in names] + [""]
    assert len(names) >= 14


# --- Shells ------------------------------------------------------------------------------------------


@HARTS
@pytest.mark.parametrize("port", ["dash", "musl-dash"])
def test_dash_runs_a_script(tmp_path, harts, port):
    dash, busybox = program(port, "dash"), program("busybox")
    script = RECIPES / "dash/script.sh"
    emulated = Emulated(tmp_path)
    with_applets(emulated, busybox)
    emulated.add("sh", dash)
    linux = emulated.run([EMULATOR, "-0", "sh", dash, script])
    files = {"sh": dash, "script": script}
    same(guest(tmp_path, harts, "sh /root/script 2>/dev/null", files), linux)
    assert len(script.read_text().splitlines()) >= 200
    assert linux.returncode == 0 and linux.stdout.endswith(b"done: 2\n")


@HARTS
def test_applets(tmp_path, harts):
    """Each applet says what it says elsewhere, and none is missing."""
    busybox = program("busybox")
    emulated = Emulated(tmp_path)
    listed = with_applets(emulated, busybox)
    table = applets()
    assert {name for name, _ in table} <= set(listed)
    assert len({name for name, _ in table}) >= 60
    script = "".join(f"echo '== {name}'\n( {command} ) 2>&1\necho \"-- $?\"\n" for name, command in table)
    path = tmp_path / "script"
    path.write_text(script)
    linux = emulated.run([EMULATOR, "-0", "sh", busybox, path])
    mapache = guest(tmp_path, harts, "exec sh /root/script",
                    {"script": path})
    same(mapache, linux)


# --- Libraries with their programs -------------------------------------------------------------------


@HARTS
def test_lua(tmp_path, harts):
    lua, script = program("lua"), RECIPES / "lua/script.lua"
    emulated = Emulated(tmp_path)
    (emulated.work / "script.lua").write_text(script.read_text())
    linux = emulated.run([EMULATOR, lua, "script.lua"])
    assert linux.returncode == 0
    same(guest(tmp_path, harts, "cp ../script.lua .; lua script.lua",
               {"lua": lua, "script.lua": script}), linux)


@HARTS
def test_minigzip_round_trip(tmp_path, harts):
    """A megabyte that can be compressed and one that cannot come back, and Linux's gzip reads the first."""
    minigzip, busybox = program("zlib", "minigzip"), program("busybox")
    text = tmp_path / "text"
    text.write_bytes(b"".join(b"line %d of many\n" % i for i in range(60000)))
    noise = tmp_path / "noise"
    noise.write_bytes(busybox.read_bytes()[: 1 << 20])
    script = """
for f in text noise; do
  minigzip <$f >$f.gz && minigzip -d <$f.gz | cmp - $f && gzip -dc $f.gz | cmp - $f || echo "$f differs"
  minigzip -9 <$f | minigzip -d | sha256sum
done
cp text kept; minigzip kept; ls kept.gz; minigzip -d kept.gz; cmp kept text && echo same
sha256sum text.gz noise.gz"""
    emulated = Emulated(tmp_path)
    with_applets(emulated, busybox)
    emulated.add("minigzip", minigzip)
    (emulated.work / "text").write_bytes(text.read_bytes())
    (emulated.work / "noise").write_bytes(noise.read_bytes())
    linux = emulated.run([EMULATOR, "-0", "sh", busybox, "-c", script])
    mapache = guest(tmp_path, harts, f"cp ../text ../noise .\n{script}",
                    {"minigzip": minigzip, "text": text, "noise": noise})
    same(mapache, linux)
    assert b"differs" not in linux.stdout and linux.stdout.count(b"same") == 1


MODES = {
    "rollback": "PRAGMA journal_mode = delete;",
    "wal": "PRAGMA journal_mode = wal;",
    "mmap": "PRAGMA journal_mode = truncate; PRAGMA mmap_size = 268435456;",
    "wal-mmap": "PRAGMA journal_mode = wal; PRAGMA mmap_size = 268435456;",
}


@HARTS
def test_sqlite(tmp_path, harts):
    sqlite, busybox = program("sqlite", "sqlite3"), program("busybox")
    work = (RECIPES / "sqlite/work.sql").read_text()
    script = ""
    files = {"sqlite3": sqlite}
    for mode, pragma in MODES.items():
        file = tmp_path / f"{mode}.sql"
        file.write_text(f"{pragma}\n{work}")
        files[f"{mode}.sql"] = file
        script += (f"mkdir {mode}; cd {mode}; echo '== {mode}'; sqlite3 main.db <$SQL/{mode}.sql; echo \"-- $?\"\n"
                   "sqlite3 main.db 'PRAGMA integrity_check; SELECT count(*) FROM visit;'; ls; cd ..\n")
    emulated = Emulated(tmp_path)
    with_applets(emulated, busybox)
    emulated.add("sqlite3", sqlite)
    linux = emulated.run([EMULATOR, "-0", "sh", busybox, "-c", f"SQL={tmp_path}\n{script}"])
    same(guest(tmp_path, harts, f"SQL=/root\n{script}", files), linux)
    assert linux.stdout.count(b"\nok\n") == 3 * len(MODES), linux.stdout.decode()


@HARTS
@pytest.mark.parametrize("mode", ["rollback", "wal"])
def test_sqlite_is_killed_in_the_middle(tmp_path, harts, mode):
    """A writer says each commit through a pipe and is killed after the 20th, in the middle of a next one: all
    20 are there, and the file is whole.  Which commit is the last depends on time, so this has no oracle."""
    script = f"""echo "{MODES[mode]} CREATE TABLE t(i INTEGER PRIMARY KEY, filler BLOB);" | sqlite3 main.db
mkfifo said
(i=0; while true; do i=$((i + 1))
  echo "BEGIN; INSERT INTO t VALUES ($i, randomblob(20000)); UPDATE t SET filler = randomblob(20000) WHERE i % 3 = 0; COMMIT; SELECT $i;"
done) | sqlite3 main.db >said &
sqlite=$!
{{ while read -r n; do [ "$n" = 20 ] && break; done; kill -9 $sqlite; }} <said
wait $sqlite; echo "status $?"
ls | grep -c main.db-
echo "PRAGMA integrity_check; SELECT count(*) >= 20, max(i) = count(*) FROM t;" | sqlite3 main.db"""
    outcome = guest(tmp_path, harts, script,
                    {"sqlite3": program("sqlite", "sqlite3"), "busybox": program("busybox")})
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert re.fullmatch(r"(delete|wal)\nstatus 137\n[12]\nok\n1\|1\n", outcome.stdout.decode()), outcome.stdout


@HARTS
@pytest.mark.parametrize("mode", ["", "writemap"])
def test_lmdb(tmp_path, harts, mode):
    """The program asserts each key itself: user emulation has no set_robust_list, without which LMDB stops."""
    files = {name: program("lmdb", name) for name in ("lmdb_keys", "mdb_stat", "mdb_copy")}
    outcome = guest(tmp_path, harts, f"""mkdir db copy; lmdb_keys db 100000 {mode} && mdb_copy -c db copy && mdb_stat copy | grep Entries""", files)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.decode().splitlines()[-3:] == [
        "100000 keys read back", "66666 keys are left", "  Entries: 66666"]


# --- A shell at a terminal ---------------------------------------------------------------------------


@pytest.fixture
def dash(request):
    """dash at its prompt, on a terminal of its own, in /root, with busybox's applets."""
    puts = [word for port, name in (("dash", "dash"), ("busybox", "busybox"))
            for word in ("--put", f"{program(port, name)}:/root/{name}")]
    child = pexpect.spawn(str(TREE / "tools/run"), ["--preset", PRESET, "--smp", str(request.param), *puts],
                          timeout=60, encoding="utf-8", codec_errors="replace", dimensions=(24, 80))
    child.expect("Ctrl-A X leaves QEMU")
    child.expect("# ")
    for line in ("cd /root; mkdir /applets; ./busybox --install -s /applets", "export PATH=/root:/applets"):
        child.sendline(line)
        child.expect("\n")
        child.expect(r"mapache:[^\r\n]*# ")
    child.sendline("exec dash -i")
    child.expect("\n")
    child.expect("# ")
    child.sendline("PS1='ready> '")
    child.expect("\nready> ")
    yield child
    child.close(force=True)


def types(child, line):
    """What dash says to a line, and it is at its prompt again."""
    child.sendline(line)
    child.expect("\n")
    child.expect("ready> ")
    return child.before.replace("\r", "").strip("\n")


AT_TERMINAL = pytest.mark.parametrize("dash", [1, 4], indirect=True)


@AT_TERMINAL
def test_job_control(dash):
    """Ctrl-Z stops the job and not the shell; jobs, bg and fg know of it; who reads in the background stops."""
    dash.sendline("cat")
    dash.sendline("runs")
    dash.expect(r"runs\r+\nruns\r+\n")
    dash.sendcontrol("z")
    dash.expect("ready> ")
    assert re.search(r"\[1\] \+ Stopped +cat", types(dash, "jobs"))
    assert types(dash, "echo $?") == "0"
    dash.sendline("fg")
    dash.expect(r"cat\r+\n")
    dash.sendline("goes on")
    dash.expect(r"goes on\r+\ngoes on\r+\n")
    dash.sendcontrol("c")
    dash.expect("ready> ")
    assert types(dash, "echo $?") == "130"

    types(dash, "cat &")
    assert re.search(r"Stopped \(tty input\) +cat", types(dash, "sleep 0.2; jobs"))
    types(dash, "kill %cat; kill -CONT %cat; wait")
    types(dash, "jobs")
    types(dash, "sleep 1000 | sleep 1000 &")
    assert re.search(r"Running", types(dash, "jobs"))
    dash.sendline("fg")
    dash.expect(r"sleep 1000 \| sleep 1000")
    dash.sendcontrol("z")
    dash.expect("ready> ")
    types(dash, "bg")
    assert re.search(r"Running", types(dash, "jobs"))
    types(dash, "kill %sleep; wait")
    assert types(dash, "jobs") == ""


@AT_TERMINAL
def test_editing_and_interrupts_at_dash(dash):
    assert types(dash, "tty") == "/dev/console"
    dash.send("echo wrong\x15echo righx\x7ft\n")
    dash.expect(r"\nright\r+\n")
    dash.expect("ready> ")
    dash.send("cat >file\nline\n\x04")
    dash.expect("ready> ")
    assert types(dash, "cat file") == "line"
    dash.sendline("trap 'echo caught' INT; sh -c 'echo be''gun; exec sleep 1000'; echo $?")
    dash.expect("begun")  # what is typed before that is for dash
    dash.sendcontrol("c")
    dash.expect("caught")
    dash.expect("ready> ")
    types(dash, "trap - INT")
    dash.sendline("while true; do true; done")
    dash.expect("\n")
    dash.sendcontrol("c")
    dash.expect("ready> ")
    assert types(dash, "stty size") == "24 80"
    dash.sendline("exit 3")
    dash.expect(pexpect.EOF)
    dash.wait()
    assert dash.exitstatus == 3
