# SPDX-License-Identifier: MIT
"""tools/mount, in two ways: over FUSE's protocol without a mount, always; and mounted, where this
machine lets us.  Where it does not, the first way tests the same operations, and the run says so."""
import contextlib
import ctypes
import errno
import hashlib
import mmap
import os
import pathlib
import random
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import fuse

TREE = pathlib.Path(__file__).resolve().parents[2]
TOOLS = TREE / "tools"
NOREPLACE, EXCHANGE = 1, 2
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def tool(name, *arguments, **options):
    return subprocess.run([TOOLS / name, *arguments], capture_output=True, text=True, **options)


def why_not_mounted(folder):
    """Why this machine mounts nothing over FUSE for us, or None.  Not asked with the tool that is tested."""
    try:
        fd = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        return f"/dev/fuse: {error.strerror}"
    try:
        if os.getuid():
            return None if shutil.which("fusermount3") else "there is no fusermount3"
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"probe", os.fsencode(folder), b"fuse", 0, options):
            return f"mount: {os.strerror(ctypes.get_errno())}"
        libc.umount2(os.fsencode(folder), 2)  # MNT_DETACH
        return None
    finally:
        os.close(fd)


with tempfile.TemporaryDirectory() as scratch:
    WHY_NOT = why_not_mounted(scratch)
MOUNTS = WHY_NOT is None
if not MOUNTS:
    print(f"test_mount: over the protocol alone, for nothing can be mounted here: {WHY_NOT}", file=sys.stderr)


# --- The two ways: the same calls, on paths below the top of an image


class HostFile:
    def __init__(self, fd):
        self.fd = fd

    def read(self, n, offset):
        return os.pread(self.fd, n, offset)

    def write(self, data, offset):
        return os.pwrite(self.fd, data, offset)

    def fsync(self, data_only=False):
        (os.fdatasync if data_only else os.fsync)(self.fd)

    def fallocate(self, mode, offset, length):
        if libc.fallocate(self.fd, mode, offset, length):
            raise OSError(ctypes.get_errno(), "fallocate")

    def seek(self, offset, whence):
        return os.lseek(self.fd, offset, whence)

    def stat(self):
        return os.fstat(self.fd)

    def close(self):
        os.close(self.fd)


class Host:
    """Files of a folder of the host."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, path):
        return os.path.join(self.folder, path.lstrip("/"))

    def __getattr__(self, name):
        call = getattr(os, name)
        return lambda path, *rest: call(self.path(path), *rest)

    def utime(self, path, ns):
        os.utime(self.path(path), ns=ns, follow_symlinks=False)

    def symlink(self, target, path):
        os.symlink(target, self.path(path))

    def link(self, old, new):
        os.link(self.path(old), self.path(new))

    def rename(self, old, new, flags=0):
        if libc.renameat2(-100, os.fsencode(self.path(old)), -100, os.fsencode(self.path(new)), flags):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def open(self, path, flags=os.O_RDONLY, mode=0o666):
        return HostFile(os.open(self.path(path), flags, mode))

    def entries(self, path, plus=False):
        with os.scandir(self.path(path)) as entries:
            for entry in entries:
                yield entry.name

    def statvfs(self):
        return os.statvfs(self.folder)

    def sync_directory(self, path):
        fd = os.open(self.path(path), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def wait_for_end(pid):
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([fd], [], [])
    os.close(fd)


def user_of(path):
    """The process that has the file open."""
    for fds in pathlib.Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if any(os.path.samefile(fd, path) for fd in fds.iterdir() if os.path.exists(fd)):
                return int(fds.parent.name)
    return None


class Mounted:
    """An image that is mounted, as far as the test's folder is concerned."""

    def __init__(self, image, tmp, *options):
        self.image, self.folder = image, tmp / "mounted"
        self.folder.mkdir(exist_ok=True)
        done = tool("mount", *options, image, self.folder)
        assert done.returncode == 0, done.stderr
        self.files = Host(self.folder)

    def unmount(self):
        done = tool("mount", "-u", self.folder)
        assert done.returncode == 0, done.stderr

    def signal(self, number):
        pid = user_of(self.image)
        os.kill(pid, number)
        wait_for_end(pid)
        if number == signal.SIGKILL:
            subprocess.run(["umount", "-l", self.folder], check=True)


class Spoken:
    """An image that is served over a socket."""

    def __init__(self, image, _tmp, *options):
        ours, theirs = fuse.pair()
        self.server = subprocess.Popen(
            [TOOLS / "mount", *options, "--protocol", str(theirs.fileno()), image],
            pass_fds=[theirs.fileno()])
        theirs.close()
        self.files = fuse.Client(ours)

    def unmount(self):
        self.files.hang_up()
        assert self.server.wait() == 0

    def signal(self, number):
        self.server.send_signal(number)
        self.server.wait()


@pytest.fixture(params=[Spoken, Mounted] if MOUNTS else [Spoken])
def way(request):
    return request.param


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image"
    assert tool("mkfs", path, "64M").returncode == 0
    return path


@contextlib.contextmanager
def served(way, image, tmp_path, *options):
    """The files of the image, and in the end an image that is clean."""
    server = way(image, tmp_path, *options)
    try:
        yield server.files
    finally:
        server.unmount()
    done = tool("fsck", "-n", image)
    assert done.returncode == 0, done.stdout


def refused(code, call, *arguments):
    with pytest.raises(OSError) as error:
        call(*arguments)
    assert error.value.errno == code, error.value


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_file(files, path, data):
    file = files.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    assert file.write(data, 0) == len(data)
    file.close()


def read_file(files, path):
    file = files.open(path)
    data = file.read(file.stat().st_size + 1, 0)
    file.close()
    return data


# --- A tree goes in and comes out again


def wait_for_blocks(files, free):
    for _ in range(1000):  # nobody waits for the answer to a forget: count events
        files.sync_directory("/")
        if files.statvfs().f_bfree >= free:
            return
    pytest.fail("the blocks are not given back")


@contextlib.contextmanager
def preloaded(text, tmp_path, monkeypatch):
    """Programs that are started have these functions in the place of the C library's."""
    library = tmp_path / "preloaded.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=text, text=True, check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    yield
    monkeypatch.delenv("LD_PRELOAD")


def snapshot(files, path="/"):
    """All that there is to know of a tree: path -> what, with the other names of each file."""
    known, result = {}, {}
    todo = [path]
    while todo:
        at = todo.pop()
        attributes = files.lstat(at)
        what = [stat.filemode(attributes.st_mode), attributes.st_mtime_ns]
        if stat.S_ISDIR(attributes.st_mode):
            todo += [os.path.join(at, name) for name in files.listdir(at)]
        elif stat.S_ISLNK(attributes.st_mode):
            what.append(files.readlink(at))
        elif stat.S_ISREG(attributes.st_mode):
            what += [attributes.st_size, hashlib.sha256(read_file(files, at)).hexdigest()]
        result[at] = tuple(what)
        if not stat.S_ISDIR(attributes.st_mode):
            known.setdefault(attributes.st_ino, []).append(at)
    return result, sorted(sorted(names) for names in known.values() if len(names) > 1)


def copy_tree(source, files):
    """What cp -a does, by our own calls."""
    linked = {}
    folders = []
    for folder, names, file_names in os.walk(source.folder):
        below = "/" + os.path.relpath(folder, source.folder).removeprefix(".")
        folders.append(below)
        if below != "/":
            files.mkdir(below)
        for name in file_names + [n for n in names if os.path.islink(os.path.join(folder, n))]:
            path = os.path.join(below, name)
            attributes = source.lstat(path)
            if attributes.st_ino in linked:
                files.link(linked[attributes.st_ino], path)
                continue
            linked[attributes.st_ino] = path
            if stat.S_ISLNK(attributes.st_mode):
                files.symlink(source.readlink(path), path)
            elif stat.S_ISFIFO(attributes.st_mode):
                files.mknod(path, attributes.st_mode)
            else:
                write_file(files, path, read_file(source, path))
                files.chmod(path, stat.S_IMODE(attributes.st_mode))
            files.utime(path, (attributes.st_atime_ns, attributes.st_mtime_ns))
    for path in reversed(folders):
        attributes = source.lstat(path)
        files.chmod(path, stat.S_IMODE(attributes.st_mode))
        files.utime(path, (attributes.st_atime_ns, attributes.st_mtime_ns))


@pytest.fixture
def source(tmp_path):
    """A tree with a little of everything."""
    top = tmp_path / "source"
    (top / "deep/er").mkdir(parents=True)
    rng = random.Random(5)
    for i in range(40):
        path = top / ("deep" if i % 2 else "deep/er") / f"file {i}"
        path.write_bytes(rng.randbytes(rng.choice([0, 1, 100, 4096, 5000, 300_000])))
        path.chmod(rng.choice([0o600, 0o644, 0o755, 0o4755, 0o444]))
        os.utime(path, ns=(rng.randrange(2**60), rng.randrange(2**60)))
    (top / "deep/name").symlink_to("er/file 2")
    (top / "dangling").symlink_to("x" * 3000)
    os.link(top / "deep/file 1", top / "linked")
    os.link(top / "deep/file 1", top / "deep/er/linked")
    os.mkfifo(top / "fifo")
    with open(top / "sparse", "wb") as sparse:
        sparse.seek(1 << 26)
        sparse.write(b"end")
    for name in ("deep/er", "deep", "."):
        os.utime(top / name, ns=(10**18 + 1, 10**18 + 999_999_999))
    return Host(top)


BY_CALLS, BY_CP = "by our calls", "by cp -a"


@pytest.mark.parametrize("way, by", [(Spoken, BY_CALLS)] + [(Mounted, BY_CALLS), (Mounted, BY_CP)] * MOUNTS)
def test_a_tree(way, by, image, tmp_path, source):
    if by == BY_CALLS:  # which would write all the zeros
        (tmp_path / "source/sparse").unlink()
    os.utime(tmp_path / "source", ns=(10**18 + 1, 10**18 + 999_999_999))
    expected = snapshot(source)
    with served(way, image, tmp_path) as files:
        if by == BY_CP:
            subprocess.run(["cp", "-a", f"{source.folder}/.", files.folder], check=True)
            assert files.lstat("/sparse").st_blocks <= 16
        else:
            copy_tree(source, files)
        assert snapshot(files) == expected
    with served(way, image, tmp_path) as files:
        assert snapshot(files) == expected
    got = tmp_path / "got"
    for path, (mode, *_) in expected[0].items():
        if mode[0] == "-":
            assert tool("get", image, path, got).returncode == 0
            assert digest(got) == digest(source.folder / path[1:])


# --- Single operations


def test_renames_and_refusals(way, image, tmp_path):
    with served(way, image, tmp_path) as files:
        files.mkdir("/a")
        files.mkdir("/a/b")
        write_file(files, "/a/f", b"f")
        write_file(files, "/g", b"g")
        refused(errno.EEXIST, files.rename, "/g", "/a/f", NOREPLACE)
        refused(errno.EEXIST, files.mkdir, "/a")
        refused(errno.EINVAL, files.rename, "/a", "/a/b/c")
        refused(errno.ENOTEMPTY, files.rmdir, "/a")
        refused(errno.ENOENT, files.lstat, "/none")
        refused(errno.ENAMETOOLONG, files.mkdir, "/" + "n" * 256)
        refused(errno.EISDIR, files.rename, "/g", "/a")
        assert (read_file(files, "/a/f"), read_file(files, "/g")) == (b"f", b"g")
        files.rename("/g", "/a/f", EXCHANGE)
        assert (read_file(files, "/a/f"), read_file(files, "/g")) == (b"g", b"f")
        files.rename("/g", "/a/f")
        refused(errno.ENOENT, files.lstat, "/g")
        files.rename("/a/b", "/b", NOREPLACE)
        files.rename("/a", "/b/a")
        assert read_file(files, "/b/a/f") == b"f"
        assert files.lstat("/b").st_nlink == 3
        files.unlink("/b/a/f")
        files.rmdir("/b/a")
        assert files.listdir("/b") == []


def test_sizes(way, image, tmp_path):
    with served(way, image, tmp_path) as files:
        write_file(files, "/f", b"x" * 10_000)
        files.truncate("/f", 5000)
        files.truncate("/f", 20_000)
        assert read_file(files, "/f") == b"x" * 5000 + bytes(15_000)
        file = files.open("/f", os.O_RDWR)
        file.write(b"tail", 20_000)
        file.fsync(data_only=True)
        file.fallocate(PUNCH_HOLE | KEEP_SIZE, 100, 4900)
        assert file.read(30_000, 0) == b"x" * 100 + bytes(19_900) + b"tail"
        refused(errno.EOPNOTSUPP, file.fallocate, PUNCH_HOLE | KEEP_SIZE | 0x40, 0, 4096)
        file.fallocate(ZERO_RANGE, 50, 50)
        assert file.read(200, 0) == b"x" * 50 + bytes(150)
        free = files.statvfs().f_bfree
        file.fallocate(KEEP_SIZE, 1 << 20, 1 << 20)
        assert file.stat().st_size == 20_004
        file.fallocate(0, 1 << 20, 1 << 20)
        assert file.stat().st_size == 2 << 20
        assert files.statvfs().f_bfree <= free - 256
        assert file.seek(0, os.SEEK_DATA) == 0
        refused(errno.ENXIO, file.seek, 2 << 20, os.SEEK_DATA)
        file.close()
        refused(errno.EFBIG, files.truncate, "/f", 2**63 - 1)


def test_attributes(way, image, tmp_path):
    with served(way, image, tmp_path) as files:
        write_file(files, "/f", b"")
        files.lchown("/f", 1234, 5678)
        files.chmod("/f", 0o6741)
        files.utime("/f", (-1, 1_234_567_890_987_654_321))
        got = files.lstat("/f")
        assert (got.st_uid, got.st_gid, got.st_mode) == (1234, 5678, stat.S_IFREG | 0o6741)
        assert got.st_mtime_ns == 1_234_567_890_987_654_321
        if way is Mounted:  # the protocol's numbers have no sign
            assert got.st_atime_ns == -1
        files.mknod("/fifo", stat.S_IFIFO | 0o600)
        assert stat.S_ISFIFO(files.lstat("/fifo").st_mode)


def test_a_file_without_a_name_lives_while_it_is_open(way, image, tmp_path):
    with served(way, image, tmp_path) as files:
        free = files.statvfs().f_bfree
        file = files.open("/f", os.O_RDWR | os.O_CREAT)
        file.write(b"a" * 100_000, 0)
        files.unlink("/f")
        assert files.listdir("/") == []
        file.write(b"b" * 100_000, 100_000)
        file.fsync()
        assert file.read(200_001, 0) == b"a" * 100_000 + b"b" * 100_000
        assert file.stat().st_nlink == 0
        assert files.statvfs().f_bfree < free - 40
        file.close()
        wait_for_blocks(files, free - 1)  # the folder has a block now


LOSES_A_LISTING = """
    #include <errno.h>
    #include <stdlib.h>
    #include <sys/syscall.h>
    #include <sys/uio.h>
    #include <unistd.h>
    ssize_t writev(int fd, const struct iovec *parts, int n)
    {
        size_t bytes = 0;

        for (int i = 0; i < n; i++)
            bytes += parts[i].iov_len;
        if (bytes > 400 && unlink(getenv("LOSES")) == 0) {
            errno = ENOENT;
            return -1;
        }
        return syscall(SYS_writev, fd, parts, n);
    }"""


def test_who_is_interrupted_remembers_nothing(image, tmp_path, monkeypatch):
    """The host's kernel refuses a listing that nobody waits for any more: what it tells of is not known."""
    loses = tmp_path / "loses"
    monkeypatch.setenv("LOSES", str(loses))
    with preloaded(LOSES_A_LISTING, tmp_path, monkeypatch):
        server = Spoken(image, tmp_path)
    files = server.files
    files.mkdir("/d")
    for name in "abc":
        write_file(files, f"/d/{name}", b"text" * 10_000)
    files.sync_directory("/d")
    free = files.statvfs().f_bfree
    loses.touch()
    files.read_and_go("/d")
    while loses.exists():
        files.sync_directory("/")
    for name in "abc":
        files.unlink(f"/d/{name}")
    wait_for_blocks(files, free + 30)
    server.unmount()


@pytest.mark.parametrize("plus", [False, True])
def test_reading_a_directory_that_changes(way, image, tmp_path, plus):
    with served(way, image, tmp_path) as files:
        files.mkdir("/d")
        for i in range(1000):
            files.mknod(f"/d/{i}", stat.S_IFREG | 0o600)
        seen = []
        for name in files.entries("/d", plus=plus):
            seen.append(name)
            if len(seen) % 10 == 0 and len(seen) <= 500:
                files.unlink(f"/d/{len(seen)}")
                files.mknod(f"/d/new{len(seen)}", stat.S_IFREG | 0o600)
        survivors = {str(i) for i in range(1000)} - {str(i) for i in range(10, 501, 10)}
        assert survivors <= set(seen)
        assert len(seen) == len(set(seen))


def test_no_space_is_said_at_the_write(way, tmp_path):
    image = tmp_path / "image"
    assert tool("mkfs", image, "4M").returncode == 0
    with served(way, image, tmp_path) as files:
        file = files.open("/f", os.O_RDWR | os.O_CREAT)
        written = 0
        with pytest.raises(OSError) as error:
            while True:
                written += file.write(bytes([1 + written // 4096 % 250]) * 4096, written)
        assert error.value.errno == errno.ENOSPC
        file.fsync()
        file.close()
        got = read_file(files, "/f")
        assert len(got) == written
        assert all(got[at] == 1 + at // 4096 % 250 for at in range(0, written, 4096))
        files.unlink("/f")
        write_file(files, "/g", b"g" * 100_000)


# --- Many at once


def writer(files, number, rounds):
    """Files of its own that it checks, one that all append to, a folder where all meet."""
    rng = random.Random(number)
    files.mkdir(f"/own{number}")
    for i in range(rounds):
        data = rng.randbytes(rng.randrange(20_000))
        write_file(files, f"/own{number}/{i % 7}", data)
        assert read_file(files, f"/own{number}/{i % 7}") == data
        file = files.open("/log", os.O_WRONLY)
        file.write(f"{number} {i}\n".encode().ljust(16), 16 * (number * rounds + i))
        if i % 8 == 0:
            file.fsync()
        file.close()
        for call in (lambda: write_file(files, f"/shared/{rng.randrange(5)}", b"s"),
                     lambda: files.unlink(f"/shared/{rng.randrange(5)}"),
                     lambda: files.rename(f"/shared/{rng.randrange(5)}", f"/shared/{rng.randrange(5)}"),
                     lambda: files.listdir("/shared"),
                     lambda: read_file(files, f"/shared/{rng.randrange(5)}")):
            with contextlib.suppress(FileNotFoundError):
                call()


def test_many_at_once(way, image, tmp_path):
    rounds, writers, failed = 60, 4, []

    def run(number, files):
        try:
            writer(files, number, rounds)
        except BaseException as error:
            failed.append(error)

    with served(way, image, tmp_path) as files:
        files.mkdir("/shared")
        write_file(files, "/log", b"")
        if way is Mounted:
            children = []
            for number in range(writers):
                if (pid := os.fork()) == 0:
                    run(number, files)
                    if failed:
                        print(failed, file=sys.stderr)
                    os._exit(len(failed))
                children.append(pid)
            failed += [status for pid in children if (status := os.waitpid(pid, 0)[1])]
        else:
            threads = [threading.Thread(target=run, args=(n, files)) for n in range(writers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not failed
        lines = read_file(files, "/log")
        for number in range(writers):
            for i in range(rounds):
                at = 16 * (number * rounds + i)
                assert lines[at:at + 16] == f"{number} {i}\n".encode().ljust(16)


# --- Ends


def contents(number):
    return random.Random(number).randbytes(1 + number * 977 % 30_000)


def synced_files(files, n):
    """Each is written, synced, and renamed; what was acknowledged is there after a crash."""
    for number in range(n):
        file = files.open("/new", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        file.write(contents(number), 0)
        file.fsync()
        file.close()
        files.rename("/new", f"/synced{number}")
        files.sync_directory("/")
        yield number


@pytest.mark.parametrize("seed", range(3))
def test_what_was_synced_survives_kill_9(way, image, tmp_path, seed):
    rng = random.Random(seed)
    server = way(image, tmp_path)
    acknowledged, stop = [], rng.randrange(5, 30)
    load_ends = threading.Event()

    def load():
        """In another file, all the time, so that the crash meets the server at work."""
        with contextlib.suppress(OSError):
            for i in range(100_000):
                write_file(server.files, f"/load{i % 50}", bytes(rng.randrange(50_000)))
        load_ends.set()

    threading.Thread(target=load).start()
    for number in synced_files(server.files, stop):
        acknowledged.append(number)
    server.signal(signal.SIGKILL)
    load_ends.wait()

    before = digest(image)
    with contextlib.ExitStack() as stack:
        reader = way(image, tmp_path, "--read-only")
        stack.callback(reader.unmount)
        for number in acknowledged:
            assert read_file(reader.files, f"/synced{number}") == contents(number)
        refused(errno.EROFS, reader.files.mkdir, "/d")
    assert digest(image) == before
    assert tool("fsck", "-n", image).returncode == 0
    with served(way, image, tmp_path) as files:
        for number in acknowledged:
            assert read_file(files, f"/synced{number}") == contents(number)
    done = subprocess.run([TOOLS / "get", image, f"/synced{stop - 1}"], capture_output=True)
    assert done.stdout == contents(stop - 1)


COUNTS_FLUSHES = """
    #include <fcntl.h>
    #include <stdlib.h>
    #include <unistd.h>
    int fdatasync(int fd)
    {
        int log = open(getenv("FLUSHES"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ssize_t n = write(log, ".", 1);

        close(log);
        return n == 1 && fd >= 0 ? 0 : -1;
    }"""


def counted(image, tmp_path, monkeypatch, log):
    """A server and a function that says how often it has flushed."""
    monkeypatch.setenv("FLUSHES", str(log))
    with preloaded(COUNTS_FLUSHES, tmp_path, monkeypatch):
        server = Spoken(image, tmp_path)
    return server, lambda: log.stat().st_size if log.exists() else 0


def test_fsync_flushes_the_image_file(image, tmp_path, monkeypatch):
    server, flushes = counted(image, tmp_path, monkeypatch, tmp_path / "flushes")
    file = server.files.open("/f", os.O_RDWR | os.O_CREAT)
    for data_only in (False, True):
        file.write(b"x" * 4096, 0)
        before = flushes()
        file.fsync(data_only)
        assert flushes() > before
    file.close()
    server.unmount()


def test_commits_come_while_others_write_and_not_when_nobody_does(image, tmp_path, monkeypatch):
    """A file with its blocks is written all the time, so that neither the log nor the disk gets full."""
    other = tmp_path / "other"
    assert tool("mkfs", other, "64M").returncode == 0
    idle, idle_flushes = counted(other, tmp_path, monkeypatch, tmp_path / "idle")
    busy, flushes = counted(image, tmp_path, monkeypatch, tmp_path / "busy")
    file = busy.files.open("/f", os.O_RDWR | os.O_CREAT)
    piece = os.urandom(fuse.LARGEST)
    for at in range(0, 16 << 20, len(piece)):
        file.write(piece, at)
    file.fsync()
    before, patience, idle_seen = flushes(), time.monotonic() + 300, []
    for more in (6, 12):  # in a commit two or three; the idle one may have one, for the mount
        while flushes() < before + more:
            assert time.monotonic() < patience, "no commit comes"
            for at in range(0, 16 << 20, len(piece)):
                file.write(piece, at)
        idle_seen.append(idle_flushes())
    assert idle_seen[0] == idle_seen[1]
    file.close()
    for server in (idle, busy):
        server.unmount()


def test_reading_writes_nothing(way, image, tmp_path):
    with served(way, image, tmp_path) as files:
        write_file(files, "/f", b"text")
    before = digest(image)
    with served(way, image, tmp_path, "--read-only") as files:
        assert read_file(files, "/f") == b"text"
        assert files.listdir("/") == ["f"]
        for call in (lambda: files.open("/f", os.O_RDWR), lambda: files.unlink("/f"),
                     lambda: files.chmod("/f", 0o777), lambda: files.truncate("/f", 0),
                     lambda: files.rename("/f", "/g"), lambda: files.link("/f", "/g")):
            refused(errno.EROFS, call)
    assert digest(image) == before


def test_an_image_has_one_user(way, image, tmp_path):
    server = way(image, tmp_path)
    server.files.listdir("/")
    for command in (["fsck", image], ["fsck", "-n", image], ["mkfs", image, "1M"], ["get", image, "/"]):
        done = tool(*command)
        assert (done.returncode, "is in use" in done.stderr) == (8, True), command
    server.unmount()
    assert tool("fsck", "-n", image).returncode == 0
    assert os.path.getsize(image) == 64 << 20


@pytest.mark.parametrize("damage", ["noise", "empty", "super", "none"])
def test_what_cannot_be_mounted(tmp_path, image, damage):
    """Said on the terminal, before anything goes to the background."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    if damage == "noise":
        image.write_bytes(random.Random(1).randbytes(1 << 20))
    elif damage == "empty":
        image.write_bytes(b"")
    elif damage == "super":
        with open(image, "r+b") as file:
            file.write(bytes(4096))
    else:
        image.unlink()
    done = tool("mount", image, folder)
    assert done.returncode not in (0, -signal.SIGABRT, 134, 139)
    assert image.name in done.stderr
    assert not os.path.ismount(folder)


def test_arguments(tmp_path, image):
    assert tool("mount").returncode == 2
    assert tool("mount", image).returncode == 2
    assert tool("mount", "--nonsense", image, tmp_path).returncode == 2
    for folder in (tmp_path / "none", image):
        done = tool("mount", image, folder)
        assert (done.returncode, bool(done.stderr)) == (1, True)
    done = tool("mount", "-u", tmp_path)
    assert done.returncode == 1 and "no image is mounted" in done.stderr


if MOUNTS:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_unmounts(image, tmp_path, number):
        """With files open, one of them without a name, and stores that nobody has synced."""
        server = Mounted(image, tmp_path)
        file, gone = (os.open(server.folder / name, os.O_RDWR | os.O_CREAT) for name in ("mapped", "gone"))
        os.ftruncate(file, 8192)
        os.unlink(server.folder / "gone")
        with mmap.mmap(file, 8192) as stores:
            stores[5000:5006] = b"stored"
            server.signal(number)
        for fd in (file, gone):
            refused(errno.ENOTCONN, os.close, fd)
        assert tool("fsck", "-n", image).returncode == 0
        assert not os.path.ismount(server.folder)
        done = subprocess.run([TOOLS / "get", image, "/mapped"], capture_output=True)
        assert done.stdout == bytes(5000) + b"stored" + bytes(8192 - 5006)

    def test_git_and_a_compiler(image, tmp_path):
        """Programs that look twice: a clone of a repository, checked, built from, and cleaned up."""
        source = tmp_path / "repository"
        subprocess.run(["git", "init", "-q", source], check=True)
        subprocess.run(["cp", "-r", TREE / "mm", TREE / "fs", source], check=True)
        git = ["git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "all"], check=True)
        with served(Mounted, image, tmp_path) as files:
            clone = files.folder / "clone"
            subprocess.run(["git", "clone", "-q", "--no-hardlinks", source, clone], check=True)
            subprocess.run(["git", "-C", clone, "fsck", "--strict"], check=True)
            subprocess.run(["git", "-C", clone, "gc", "-q"], check=True)
            assert subprocess.run(["git", "-C", clone, "status", "--porcelain"], check=True,
                                  capture_output=True).stdout == b""
            subprocess.run(["diff", "-r", source / "mm", clone / "mm"], check=True)
            for file in ("crc32c.c", "layout.c"):
                subprocess.run(["gcc", "-c", f"fs/mapfs/{file}", "-Ifs/include", "-Ifs/port/posix",
                                "-Imm/include", "-Imm/port/posix", "-o", f"{file}.o"], cwd=clone, check=True)
            subprocess.run(["rm", "-r", clone / "fs"], check=True)
        with served(Mounted, image, tmp_path) as files:
            subprocess.run(["git", "-C", files.folder / "clone", "checkout", "-q", "."], check=True)
            subprocess.run(["diff", "-r", source / "fs", files.folder / "clone/fs"], check=True)

    def test_a_database(image, tmp_path):
        """It locks ranges, syncs, maps (in the second mode) and truncates its log."""
        with served(Mounted, image, tmp_path) as files:
            for mode in ("delete", "wal"):
                done = subprocess.run(["sqlite3", files.folder / mode], capture_output=True, text=True, input=f"""
                    pragma journal_mode={mode};
                    create table t(a integer primary key, b);
                    with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000)
                        insert into t select x, hex(randomblob(50)) from c;
                    delete from t where a % 3 = 0;
                    vacuum;
                    pragma integrity_check;
                    select count(*) from t;""")
                assert done.stdout.split() == [mode, "ok", "3334"], done.stderr

    def test_who_may_what(image, tmp_path):
        """Modes and owners count for others than root, and a write takes set-id bits away."""
        other = {"user": 12345, "group": 12345, "extra_groups": []}
        tmp_path.chmod(0o755)
        for parent in list(tmp_path.parents)[:2]:
            parent.chmod(0o755)
        with served(Mounted, image, tmp_path) as files:
            os.chmod(files.folder, 0o1777)
            write_file(files, "/private", b"secret")
            files.chmod("/private", 0o600)
            script = f"""
                cd {files.folder} || exit 3
                cat private 2>/dev/null && exit 4
                rm -f private 2>/dev/null && exit 5
                mkdir own && echo mine >own/file && chmod 4755 own/file && echo more >>own/file"""
            assert subprocess.run(["sh", "-c", script], **other).returncode == 0
            made = files.lstat("/own/file")
            assert (made.st_uid, made.st_gid, made.st_mode) == (12345, 12345, stat.S_IFREG | 0o755)
