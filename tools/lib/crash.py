# SPDX-License-Identifier: MIT
"""tools/crash: see USAGE.

What a crash leaves of a synced load in the guest.  The load (tools/lib/crash_load.c) works on a disk of its own,
/dev/vdb, so that nothing else is written there, and tells of every operation on the virtio console before
it begins: these are the acknowledgements, since whatever came before the operation has returned.  It
goes on when it has been answered, and before the answer

    *recorded*  QEMU's blklogwrites has written a log: each request of the guest, in the order in which
                they were completed, flushes among them;
    *killed*    nothing is needed: what the disk's file then holds is the state.

The checker is mapfs_crash (fs/mapfs/test/crash), which gets image, log and calls as a workload
(replay.h there says in which form): it makes the states that a power cut could leave of the log, recovers
each with mapfs compiled for this machine, and holds it against a model of the operations.

Why the log may be believed.  blklogwrites does a request first and then adds it to the log, both before
the guest is told that it is done.  So when an acknowledgement is heard:

  - The flushes for which the operations before it have waited are in the log.  If it has F flushes now, a
    state in which at least F flushes are done owes what was acknowledged; one with fewer may owe it or not,
    and is asked for no more than what was acknowledged earlier.
  - The operation after it has not begun, since the load waits for the answer.  So what it writes comes
    behind all entries that are there now: a state with fewer than F flushes shows nothing of it.
  - Requests of the kernel's own threads (write-back, commits) may be under way meanwhile.  One of them may add a
    flush after the count: F is then too small for what has not begun, which only allows more, but never
    too small for what has returned, as that was in the log before.

Entries are added by requests that run beside each other, so an entry may be in the file before another one
in front of it is: the count waits until there is no such gap (LogReader).  A write that is completed
while a flush is under way comes before the flush in the log, though that need not cover it.  So a
guest that did not wait for its write before it flushed could go unseen here; the test disk of the host's own
exploration sees it.

What kill -9 shows.  What was in the guest's memory is lost: dirty pages, and changes that no commit has written.
But what QEMU has given to the kernel of this machine stays in its page cache, whatever becomes of
QEMU: no write is lost, flushed or not, and a missing flush goes unseen.  So kills test that syncs wait for what
they promise, and that the guest's kernel, which recovers then, and the programs on it (SQLite, LMDB) find their
way from any moment.  Lost and reordered writes are the business of the recorded loads.
"""
import argparse
import contextlib
import os
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

import build
import guest
import ports
import run

USAGE = """\
tools/crash [OPTION]... record|kill

Runs a synced load in the guest, crashes it, and checks what is left.

record   the load's disk is recorded by QEMU; states that a power cut could have left of it are made,
         recovered and checked
kill     QEMU is killed in the middle; what is left is recovered and checked here and in the guest: of
         operations on files, of SQLite, of LMDB, in turn

Exit status: 0 when nothing is wrong, 1 when something is; what it takes to see it again is printed."""

DISK = "2M"
INODES = "64"
BEGINNING = ["mkdir /d", "mkdir /e", "create /a", "write /a 0 12288", "create /b", "write /b 0 700",
             "link /b /d/h", "create /d/f", "write /d/f 0 4500", "create /x",
             *(f"write /x {i * 8192} 4096" for i in range(16))]
ACKNOWLEDGEMENT = re.compile(rb"load (\d+) (\d+) (\d+)\s*$")
SECTOR = 512
BLOCK = 4096
FLUSH = 1
SECONDS = 300  # for a boot and a load, against hanging


def wide_directory(names, gone):
    """What "wide" before a workload means (fs/mapfs/test/crash/record.c)."""
    return ["mkdir /w", "create /w/1~", *(f"link /w/1~ /w/{i}~" for i in range(2, names + 1)),
            *(f"unlink /w/{i}~" for i in range(1, gone + 1))]


class CrashError(Exception):
    """Something is wrong, in words."""


# --- The log ------------------------------------------------------------------------------------------


class LogReader:
    """Counts the flushes of a log that is being written."""

    def __init__(self, path):
        self.path = path
        self.at = SECTOR  # behind the super block
        self.flushes = 0

    def count(self):
        """Flushes so far.  The guest waits, so a gap that another request leaves is soon filled."""
        with open(self.path, "rb") as log:
            while not self.read(log):
                os.sched_yield()
        return self.flushes

    def read(self, log):
        """False: there is a gap before the end."""
        end = os.fstat(log.fileno()).st_size
        while self.at < end:
            log.seek(self.at)
            _, sectors, flags, _ = struct.unpack("<4Q", log.read(32))
            if not sectors and not flags or self.at + (1 + sectors) * SECTOR > end:
                return False
            self.at += (1 + sectors) * SECTOR
            self.flushes += flags & FLUSH
        return True


def read_log(path):
    """Epochs of a log that is complete: of each, its writes, (offset, bytes)."""
    epochs = [[]]
    with open(path, "rb") as log:
        log.seek(SECTOR)
        while header := log.read(SECTOR):
            sector, sectors, flags, _ = struct.unpack("<4Q", header[:32])
            if flags & FLUSH:
                epochs.append([])
            if sectors:
                epochs[-1].append((sector * SECTOR, log.read(sectors * SECTOR)))
    return epochs


def blocks_of(writes):
    """The same, cut where a disk may lose one part and keep the next."""
    for offset, data in writes:
        for at in range(0, len(data), BLOCK):
            yield offset + at, data[at: at + BLOCK]


def drop_flush(folder, number):
    """Make of the recording in folder one of a disk that did not do flush `number`, counted from 1."""
    path = os.path.join(folder, "log")
    at, seen = SECTOR, 0
    with open(path, "r+b") as log:
        while seen < number:
            log.seek(at)
            _, sectors, flags, _ = struct.unpack("<4Q", log.read(32))
            seen += flags & FLUSH
            if seen == number:
                log.seek(at + 16)
                log.write(struct.pack("<Q", flags & ~FLUSH))
            at += (1 + sectors) * SECTOR
    calls = read_calls(folder)
    write_calls(folder, [(n - (n >= number), *rest) for n, *rest in calls])


# --- Calls --------------------------------------------------------------------------------------------


def write_calls(folder, calls):
    with open(os.path.join(folder, "calls"), "w") as file:
        file.writelines(f"{flushes} {ns} {error} {text}\n" for flushes, ns, error, text in calls)


def read_calls(folder):
    """(flushes, nanoseconds, errno or -, operation) of each."""
    with open(os.path.join(folder, "calls")) as file:
        words = (line.rstrip("\n").split(" ", 3) for line in file)
        return [(int(flushes), ns, error, text) for flushes, ns, error, text in words]


class Listener:
    """Hears what the load says of its operations, and answers."""

    def __init__(self, operations, flushes=lambda: 0, kill_at=None, delay=0.0):
        self.operations = operations
        self.flushes = flushes
        self.kill_at = kill_at
        self.delay = delay  # seconds from the answer to the kill
        self.held = b""
        self.calls = []
        self.answers, self.end = os.pipe()

    def __call__(self, data, process):
        *lines, self.held = (self.held + data).split(b"\n")
        for line in lines:
            match = ACKNOWLEDGEMENT.search(line)
            if match:
                self.acknowledged(*map(int, match.groups()))
                os.write(self.end, b"\n")
                if int(match.group(1)) == self.kill_at:
                    threading.Timer(self.delay, process.kill).start()

    def acknowledged(self, index, ns, error):
        if index != len(self.calls):
            raise CrashError(f"operation {index} was announced instead of {len(self.calls)}")
        if self.calls:
            flushes, before, _, text = self.calls[-1]
            self.calls[-1] = (flushes, before, error, text)
        text = self.operations[index] if index < len(self.operations) else "end"
        self.calls.append((self.flushes(), ns, "-", text))

    def close(self):
        os.close(self.answers)
        os.close(self.end)


# --- The guest ----------------------------------------------------------------------------------------


class Loads:
    """What all boots share: the kernel, the load's program, the checker."""

    def __init__(self, preset, scratch, smp=4):
        self.kit = build.kit_of(build.build(preset, ["mapache.elf", "image"]))
        self.checker = os.path.join(build.build("host", ["mapfs_crash"]), "fs/mapfs/test/crash/mapfs_crash")
        self.scratch = scratch
        self.smp = smp
        self.program = os.path.join(scratch, "load")
        subprocess.run(["riscv64-linux-gnu-gcc", "-O2", "-static", "-o", self.program,
                        os.path.join(build.TREE, "tools/lib/crash_load.c")], check=True)

    def operations(self, seed, length):
        """A load: a fixed beginning, then random operations."""
        done = subprocess.run([self.checker, "--seed", str(seed), "--pairs", "0", "--long", "1",
                               "--length", str(length), "--list"], check=True, capture_output=True, text=True)
        text = done.stdout.splitlines()[-1].split(" ", 1)[1]
        wide = re.match(r"wide (\d+) (\d+) \| ", text)
        if not wide:
            return [*BEGINNING, "sync", *text.split("; ")]
        return [*BEGINNING, *wide_directory(*map(int, wide.groups())), "sync", *text[wide.end():].split("; ")]

    def new_disk(self, path, size=DISK, inodes=INODES):
        with tempfile.TemporaryDirectory(dir=self.scratch) as empty:
            os.chmod(empty, 0o755)
            subprocess.run([self.kit.tool("mkfs"), "--inodes", inodes, path, size, empty], check=True,
                           stdout=subprocess.DEVNULL)

    def root(self, files):
        """A copy of the root disk, with files (guest path -> file here)."""
        folder = tempfile.mkdtemp(dir=self.scratch)
        image = run.copy_image(self.kit.image, folder)
        run.put_files(self.kit, image, [f"{file}:{path}" for path, file in files.items()])
        return image

    def boot(self, command, files, disk, listener=None):
        """disk: QEMU's arguments for /dev/vdb.  The outcome, and what the command said."""
        said = bytearray()
        image = self.root(files)
        machine = guest.Machine(self.kit, smp=self.smp, image=image, qemu=disk,
                                log=os.path.join(os.path.dirname(image), "log"))
        try:
            outcome = guest.run_command(machine, command, listener and listener.answers, SECONDS, said.extend,
                                        listener)
        finally:
            shutil.rmtree(os.path.dirname(image))
        return outcome, said.decode(errors="replace")

    def load(self, operations, disk, listener, beside=False):
        """Boot and do the operations; the outcome.  beside: another process syncs meanwhile."""
        text = os.path.join(self.scratch, "operations")
        with open(text, "w") as file:
            file.writelines(f"{operation}\n" for operation in operations)
        files = {"/root/load": self.program, "/root/operations": text}
        try:
            outcome, said = self.boot(["/root/load", "/dev/vdb", "/crash", "/root/operations",
                                       *["beside"] * beside], files, disk, listener)
        finally:
            listener.close()
        if outcome.status not in (0, 128 + 9):
            raise CrashError(f"the guest ended with {outcome.status}\n{said}"
                             f"{(outcome.log[-2000:] + outcome.panic).decode(errors='replace')}")
        return outcome

    def fsck(self, image):
        """Without writing: what the log has is looked up there."""
        done = subprocess.run([self.kit.tool("fsck"), "-n", image], capture_output=True, text=True)
        if done.returncode:
            raise CrashError(f"fsck -n: {done.returncode}\n{done.stdout}")

    def check(self, folder, *options):
        """The states of a recording: what mapfs_crash says.  CrashError: one is wrong."""
        done = subprocess.run([self.checker, "--workload", f"replay {folder}", *options],
                              capture_output=True, text=True)
        if done.returncode:
            raise CrashError(done.stdout + done.stderr)
        return done.stdout


def plain_disk(path):
    return guest.disk(path, "vdb", 1)


def recorded_disk(image, log):
    return ["-blockdev", f"driver=file,node-name=vdb-file,filename={image.replace(',', ',,')}",
            "-blockdev", f"driver=file,node-name=vdb-log,filename={log.replace(',', ',,')}",
            "-blockdev", "driver=blklogwrites,node-name=vdb,file=vdb-file,log=vdb-log",
            "-device", "virtio-blk-device,drive=vdb,bus=virtio-mmio-bus.1"]


def record(loads, folder, operations, beside=False):
    """Do the operations on a disk that is recorded; image, log and calls are then in folder."""
    image, log = os.path.join(folder, "image"), os.path.join(folder, "log")
    work = os.path.join(folder, "work")
    loads.new_disk(image)
    shutil.copy(image, work)
    open(log, "wb").close()
    listener = Listener(operations, LogReader(log).count)
    loads.load(operations, recorded_disk(work, log), listener, beside)
    os.remove(work)
    write_calls(folder, listener.calls)


def kill_files(loads, folder, operations, kill_at, delay, beside=False):
    """Do the operations, kill QEMU so many seconds after operation kill_at was allowed to begin; then the
    disk is recovered here, and by the guest."""
    image = os.path.join(folder, "image")
    loads.new_disk(image)
    listener = Listener(operations, kill_at=kill_at, delay=delay)
    loads.load(operations, plain_disk(image), listener, beside)
    write_calls(folder, listener.calls)
    said = loads.check(folder, "--seed", "1", "--deep", "1")
    recovered = loads.load([], plain_disk(image), Listener([]))
    unmounted = len(listener.calls) >= len(operations)  # perhaps
    if b"mapfs vdb: was not unmounted" not in recovered.log and not unmounted:
        raise CrashError("the guest did not see that the disk was not unmounted")
    loads.check(folder)
    return said


# --- Databases ------------------------------------------------------------------------------------------

COMMITS = 400  # more than there is time for
FEW_COMMITS = 40  # that are recorded
COMMIT = re.compile(rb"commit (\d+)\s*$")
DATABASE_DISK = "32M"


def sql_of(mode, commits):
    """Each said when it is durable.  With a rollback journal that takes "extra": a commit is the journal's
    unlink then, and "full" does not sync the folder behind it."""
    yield f"PRAGMA journal_mode = {mode};\nPRAGMA synchronous = {'full' if mode == 'wal' else 'extra'};\n"
    yield "CREATE TABLE t(i INTEGER PRIMARY KEY, filler BLOB);\n"
    for i in range(1, commits + 1):
        yield (f"BEGIN; INSERT INTO t VALUES ({i}, randomblob({i * 997 % 9000}));\n"
               f"UPDATE t SET filler = randomblob(2000) WHERE i % 7 = {i % 7};\n"
               f"COMMIT;\n.system echo commit {i} >/dev/kmsg\n")


class Database:
    """What is written, and what must be there of it."""

    def __init__(self, write, check, files):
        self.write = write  # in the shell, in the folder of the database
        self.check = check  # prints "commit N": so many commits are there, and all is well
        self.files = files

    @staticmethod
    def sqlite(mode, scratch, commits=COMMITS):
        sql = os.path.join(scratch, f"{mode}.sql")
        with open(sql, "w") as file:
            file.writelines(sql_of(mode, commits))
        check = ("PRAGMA integrity_check; SELECT 'commit '||count(*) FROM t HAVING count(*) = ifnull(max(i), 0);")
        return Database("/root/sqlite3 main.db </root/work.sql",
                        f'/root/sqlite3 main.db "{check}"',
                        {"/root/sqlite3": os.path.join(ports.make(["sqlite"])[0], "sqlite3"),
                         "/root/work.sql": sql})

    @staticmethod
    def lmdb():
        return Database(f"mkdir -p db; /root/lmdb_commits db {COMMITS} >/dev/kmsg", "/root/lmdb_commits db",
                        {"/root/lmdb_commits": os.path.join(ports.make(["lmdb"])[0], "lmdb_commits")})


    def script(self, mount="/crash"):
        return (f"mkdir {mount} && /root/busybox mount -t mapfs /dev/vdb {mount} && cd {mount} && {{ %s; }} && "
                f"cd / && /root/busybox umount {mount}")

    def boot(self, loads, work, disk, listener=None):
        """work: self.write or self.check."""
        files = {**self.files, "/root/busybox": os.path.join(ports.make(["busybox"])[0], "busybox")}
        return loads.boot(["sh", "-c", self.script() % work], files, disk, listener)


class CommitListener:
    """Hears of commits, without keeping anybody waiting.  Notes how many flushes there are by then (more than when it
    was said, perhaps: such a state owes it all the same), or kills QEMU so many seconds after one of them."""

    answers = None

    def __init__(self, kill_at=None, delay=0.0, flushes=lambda: 0):
        self.kill_at = kill_at
        self.delay = delay
        self.flushes = flushes
        self.held = b""
        self.last = 0
        self.said = []  # (flushes, commit)

    def __call__(self, data, process):
        *lines, self.held = (self.held + data).split(b"\n")
        for match in filter(None, map(COMMIT.search, lines)):
            self.last = int(match.group(1))
            self.said.append((self.flushes(), self.last))
            if self.last == self.kill_at:
                threading.Timer(self.delay, process.kill).start()


def kill_database(loads, folder, database, kill_at, delay):
    """Let it commit and kill QEMU; whatever it said must be there when the guest has recovered the disk."""
    image = os.path.join(folder, "image")
    loads.new_disk(image, DATABASE_DISK, "128")
    listener = CommitListener(kill_at, delay)
    outcome, said = database.boot(loads, database.write, plain_disk(image), listener)
    if outcome.status != 128 + 9:
        raise CrashError(f"it ended with {outcome.status} before it was killed\n{said}")
    loads.fsck(image)
    outcome, said = database.boot(loads, database.check, plain_disk(image))
    there = COMMIT.search(said.encode())
    if outcome.status or not there or int(there.group(1)) < listener.last:
        raise CrashError(f"{listener.last} commits had been said; status {outcome.status}\n{said}")
    if b"mapfs vdb: was not unmounted" not in outcome.log:
        raise CrashError("the guest did not see that the disk was not unmounted")
    loads.fsck(image)
    return f"{listener.last} commits had been said, {int(there.group(1))} are there"


def record_sqlite(loads, folder, mode):
    """Commits on a disk that is recorded; image and log are then in folder.  What was said, as CommitListener has it."""
    image, log, work = (os.path.join(folder, name) for name in ("image", "log", "work"))
    loads.new_disk(image, DATABASE_DISK, "128")
    shutil.copy(image, work)
    open(log, "wb").close()
    listener = CommitListener(flushes=LogReader(log).count)
    database = Database.sqlite(mode, folder, FEW_COMMITS)
    outcome, said = database.boot(loads, database.write, recorded_disk(work, log), listener)
    os.remove(work)
    if outcome.status or listener.last != FEW_COMMITS:
        raise CrashError(f"{listener.last} commits, and it ended with {outcome.status}\n{said}")
    return listener.said


def check_sqlite(loads, image, owed, scratch):
    """The database that is on the image, as SQLite here finds it; the image itself is not recovered."""
    loads.fsck(image)
    path = os.path.join(scratch, "main.db")
    for suffix in ("", "-journal", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path + suffix)
        subprocess.run([loads.kit.tool("get"), image, "/main.db" + suffix, path + suffix], stderr=subprocess.DEVNULL)
    if not os.path.exists(path) and owed == 0:
        return
    with contextlib.closing(sqlite3.connect(path)) as database:
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise CrashError(f"integrity_check: {verdict}")
        if owed:
            count, last = database.execute("SELECT count(*), max(i) FROM t").fetchone()
            if count != last or count < owed:
                raise CrashError(f"{count} rows, the last is {last}; {owed} commits had been said")


def cut_sqlite(loads, folder, said, states, draw):
    """Power cuts at random moments of a recording: an epoch, and which of its blocks arrived."""
    epochs = read_log(os.path.join(folder, "log"))
    with open(os.path.join(folder, "image"), "rb") as file:
        disk = bytearray(file.read())
    cuts = sorted(draw.randrange(len(epochs)) for _ in range(states))
    image = os.path.join(folder, "cut")
    for number, writes in enumerate(epochs):
        blocks = list(blocks_of(writes))
        owed = max((commit for flushes, commit in said if flushes <= number), default=0)
        for _ in range(cuts.count(number)):
            shape = draw.choice(("prefix", "subset", "all but one"))
            if shape == "prefix":
                arrived = blocks[: draw.randrange(len(blocks) + 1)]
            elif shape == "subset":
                arrived = [block for block in blocks if draw.randrange(2)]
            else:
                lost = draw.randrange(len(blocks) + 1)
                arrived = blocks[:lost] + blocks[lost + 1:]
            state = disk.copy()
            put_blocks(state, arrived)
            with open(image, "wb") as file:
                file.write(state)
            try:
                check_sqlite(loads, image, owed, folder)
            except (CrashError, sqlite3.Error) as error:
                raise CrashError(f"epoch {number} of {len(epochs)}, {shape} of {len(blocks)} blocks: {error}") from error
        put_blocks(disk, blocks)


def put_blocks(disk, blocks):
    for offset, data in blocks:
        disk[offset: offset + len(data)] = data


# --- The program ------------------------------------------------------------------------------------------


class Crashes:
    """Any number of crashes, each drawn by a seed of its own, so that it can be had without the others."""

    def __init__(self, loads, operations):
        self.loads = loads
        self.operations = operations

    def record(self, seed, folder, options):
        what = RECORDED[seed % len(RECORDED)]
        if what != "files":
            said = record_sqlite(self.loads, folder, what)
            cut_sqlite(self.loads, folder, said, SQLITE_STATES, random.Random(seed))
            return f"{what}: ok - {SQLITE_STATES} states of {said[-1][1]} commits, {said[-1][0]} flushes\n"
        record(self.loads, folder, self.loads.operations(seed, self.operations), beside=seed % 3 == 1)
        return self.loads.check(folder, "--seed", str(seed), *options)

    def kill(self, seed, folder, _options):
        draw = random.Random(seed)
        delay = draw.uniform(0, 0.02)
        what = KILLED[seed % len(KILLED)]
        if what == "files":
            operations = self.loads.operations(seed, self.operations)
            at = draw.randrange(operations.index("sync") + 2, len(operations))
            return kill_files(self.loads, folder, operations, at, delay, seed // len(KILLED) % 2)
        database = Database.lmdb() if what == "lmdb" else Database.sqlite(what, folder)
        return f"{what}: {kill_database(self.loads, folder, database, draw.randrange(1, 60), delay)}\n"


SQLITE_STATES = 40
RECORDED = ("files", "files", "delete", "files", "files", "wal")
KILLED = ("files", "delete", "wal", "lmdb")  # delete and wal: SQLite's journal


def main(argv):
    parser = argparse.ArgumentParser(prog="tools/crash", usage=argparse.SUPPRESS, description=USAGE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "kill"), help=argparse.SUPPRESS)
    parser.add_argument("--preset", default="dev", help="the kernel (%(default)s)")
    parser.add_argument("--smp", type=int, default=4, metavar="N", help="harts (%(default)s)")
    parser.add_argument("--runs", "--kills", type=int, default=3, metavar="N", help="loads (%(default)s)")
    parser.add_argument("--seed", type=int, metavar="S", help="of the first; the next is one more (from the clock)")
    parser.add_argument("--operations", type=int, default=100, metavar="N", help="of a load (%(default)s)")
    parser.add_argument("--complete", default="6", metavar="K", help="record: all subsets of up to K blocks (%(default)s)")
    parser.add_argument("--random", default="100", metavar="N", help="record: random subsets of more (%(default)s)")
    parser.add_argument("--deep", default="32", metavar="N",
                        help="record: one state in N also crashes while it is recovered (%(default)s)")
    parser.add_argument("--keep", metavar="DIR", help="keep image, log and calls there, by seed")
    options = parser.parse_args(argv)
    seed = options.seed if options.seed is not None else int(time.time())
    states = ["--complete", options.complete, "--random", options.random, "--deep", options.deep]
    wrong, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mapache-crash-") as scratch:
        crashes = Crashes(Loads(options.preset, scratch, options.smp), options.operations)
        for number in range(seed, seed + options.runs):
            folder = os.path.join(options.keep or scratch, str(number))
            os.makedirs(folder)
            try:
                said = getattr(crashes, options.what)(number, folder, states)
            except CrashError as error:
                wrong += 1
                said = f"not ok - {error}\n"
            print(f"# {options.what} --seed {number} --runs 1\n{said}", end="", flush=True)
    seconds = time.monotonic() - began
    print(f"# seed {seed}: {options.runs} runs, {wrong} wrong, {seconds / options.runs:.1f} s each")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
