# SPDX-License-Identifier: MIT
"""The kernel's side of FUSE, for tests: files of a server are used without a mount.

Client speaks the protocol (version 7.31) over a socket; any number of threads may use it at once, and the
server may answer in any order.  Like the kernel it counts the lookups of each file, and forgets them.
Its calls are named after those of os, take paths, and raise OSError."""
import os
import socket
import stat
import struct
import threading
import types

LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK = 1, 2, 3, 4, 5, 6
MKNOD, MKDIR, UNLINK, RMDIR, LINK, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = (
    8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 20)
INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR, CREATE = 26, 27, 28, 29, 30, 35
FALLOCATE, READDIRPLUS, RENAME2, LSEEK = 43, 44, 45, 46

IN_HEADER, OUT_HEADER = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
ATTR, ENTRY = struct.Struct("<6Q10I"), struct.Struct("<4Q2I")
SETATTR_IN = struct.Struct("<IIQQQqqqIIIIIIII")
DIRENT = struct.Struct("<QQII")
SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME = 1, 2, 4, 8, 16, 32

ROOT = 1
LARGEST = 128 << 10  # bytes of a read or write
NS = 10**9


def stat_of(packed):
    (ino, size, blocks, atime, mtime, ctime, atime_ns, mtime_ns, ctime_ns, mode, nlink, uid, gid, rdev,
     _, _) = ATTR.unpack(packed)
    return types.SimpleNamespace(
        st_ino=ino, st_size=size, st_blocks=blocks, st_mode=mode, st_nlink=nlink, st_uid=uid, st_gid=gid,
        st_rdev=rdev, st_atime_ns=atime * NS + atime_ns, st_mtime_ns=mtime * NS + mtime_ns,
        st_ctime_ns=ctime * NS + ctime_ns)


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.lock = threading.Lock()  # of the following two
        self.waiting = {}  # unique: [event, error, payload]
        self.unique = 0
        threading.Thread(target=self._receive, daemon=True).start()
        self.call(INIT, 0, struct.pack("<IIII", 7, 31, LARGEST, 0))

    # --- Messages

    def _send(self, opcode, node, payload, waiter):
        with self.lock:
            self.unique += 2
            unique = self.unique
            if waiter:
                self.waiting[unique] = waiter
        header = IN_HEADER.pack(IN_HEADER.size + len(payload), opcode, unique, node, 0, 0, os.getpid(), 0)
        self.sock.send(header + payload)

    def _receive(self):
        try:
            while message := self.sock.recv(LARGEST + 4096):
                _, error, unique = OUT_HEADER.unpack_from(message)
                with self.lock:
                    waiter = self.waiting.pop(unique)
                waiter[1:] = -error, message[OUT_HEADER.size:]
                waiter[0].set()
        except ConnectionError:
            pass
        with self.lock:
            for waiter in self.waiting.values():
                waiter[1] = 107  # ENOTCONN
                waiter[0].set()

    def call(self, opcode, node, payload=b""):
        waiter = [threading.Event(), 0, b""]
        self._send(opcode, node, payload, waiter)
        waiter[0].wait()
        if waiter[1]:
            raise OSError(waiter[1], os.strerror(waiter[1]))
        return waiter[2]

    def hang_up(self):
        self.sock.shutdown(socket.SHUT_RDWR)

    # --- Files by number

    def _lookup(self, parent, name):
        node, *_ = ENTRY.unpack_from(answer := self.call(LOOKUP, parent, name + b"\0"))
        if not node:
            raise FileNotFoundError(2, os.strerror(2), name)
        return node, stat_of(answer[ENTRY.size:ENTRY.size + ATTR.size])

    def forget(self, node, lookups=1):
        if node != ROOT:
            self._send(FORGET, node, struct.pack("<Q", lookups), None)

    def _made(self, opcode, parent, payload):
        self.forget(ENTRY.unpack_from(self.call(opcode, parent, payload))[0])

    def walk(self, path):
        """The file's number, with one lookup, and its attributes; links are not followed."""
        node, attributes = ROOT, stat_of(self.call(GETATTR, ROOT, struct.pack("<IIQ", 0, 0, 0))[16:])
        for name in filter(None, os.fsencode(path).split(b"/")):
            parent = node
            try:
                node, attributes = self._lookup(parent, name)
            finally:
                self.forget(parent)
        return node, attributes

    def _in(self, path, call):
        folder, name = os.path.split(os.fsencode(path))
        node, _ = self.walk(os.fsdecode(folder))
        try:
            return call(node, name + b"\0")
        finally:
            self.forget(node)

    def _on(self, path, call):
        node, _ = self.walk(path)
        try:
            return call(node)
        finally:
            self.forget(node)

    # --- Calls

    def lstat(self, path):
        node, attributes = self.walk(path)
        self.forget(node)
        return attributes

    def mkdir(self, path, mode=0o777):
        self._in(path, lambda dir, name: self._made(MKDIR, dir, struct.pack("<II", mode, 0) + name))

    def mknod(self, path, mode):
        self._in(path, lambda dir, name: self._made(
            MKNOD, dir, struct.pack("<IIII", mode, 0, 0, 0) + name))

    def symlink(self, target, path):
        self._in(path, lambda dir, name: self._made(SYMLINK, dir, name + os.fsencode(target) + b"\0"))

    def link(self, old, new):
        self._on(old, lambda node: self._in(
            new, lambda dir, name: self._made(LINK, dir, struct.pack("<Q", node) + name)))

    def unlink(self, path):
        self._in(path, lambda dir, name: self.call(UNLINK, dir, name))

    def rmdir(self, path):
        self._in(path, lambda dir, name: self.call(RMDIR, dir, name))

    def rename(self, old, new, flags=0):
        self._in(old, lambda dir, name: self._in(new, lambda to_dir, to_name: self.call(
            RENAME2, dir, struct.pack("<QII", to_dir, flags, 0) + name + to_name)))

    def readlink(self, path):
        return os.fsdecode(self._on(path, lambda node: self.call(READLINK, node)))

    def setattr(self, node, valid, size=0, atime=0, mtime=0, mode=0, uid=0, gid=0):
        self.call(SETATTR, node, SETATTR_IN.pack(
            valid, 0, 0, size, 0, atime // NS, mtime // NS, 0, atime % NS, mtime % NS, 0, mode, 0, uid,
            gid, 0))

    def chmod(self, path, mode):
        self._on(path, lambda node: self.setattr(node, SET_MODE, mode=mode))

    def lchown(self, path, uid, gid):
        self._on(path, lambda node: self.setattr(node, SET_UID | SET_GID, uid=uid, gid=gid))

    def utime(self, path, ns):
        self._on(path, lambda node: self.setattr(
            node, SET_ATIME | SET_MTIME, atime=ns[0], mtime=ns[1]))

    def truncate(self, path, size):
        self._on(path, lambda node: self.setattr(node, SET_SIZE, size=size))

    def statvfs(self):
        blocks, free, _, files, free_files, size = struct.unpack_from("<5QI", self.call(STATFS, ROOT))
        return types.SimpleNamespace(f_blocks=blocks, f_bfree=free, f_files=files, f_ffree=free_files,
                                     f_bsize=size)

    def open(self, path, flags=os.O_RDONLY, mode=0o666):
        if flags & os.O_CREAT:
            try:
                return self._create(path, flags, mode)
            except FileExistsError:
                if flags & os.O_EXCL:
                    raise
        node, _ = self.walk(path)
        try:
            fh, = struct.unpack_from("<Q", self.call(OPEN, node, struct.pack("<II", flags & ~os.O_CREAT, 0)))
        except OSError:
            self.forget(node)
            raise
        return File(self, node, fh)

    def _create(self, path, flags, mode):
        answer = self._in(path, lambda dir, name: self.call(
            CREATE, dir, struct.pack("<IIII", flags | os.O_EXCL, mode | stat.S_IFREG, 0, 0) + name))
        return File(self, ENTRY.unpack_from(answer)[0],
                    struct.unpack_from("<Q", answer, ENTRY.size + ATTR.size)[0])

    def entries(self, path, bytes_at_once=4096, plus=False):
        """The names in a directory, as they are read from it piece by piece."""
        node, _ = self.walk(path)
        fh, = struct.unpack_from("<Q", self.call(OPENDIR, node, struct.pack("<II", 0, 0)))
        cookie = 0
        while piece := self.call(READDIRPLUS if plus else READDIR, node, struct.pack(
                "<QQIIQII", fh, cookie, bytes_at_once, 0, 0, 0, 0)):
            while piece:
                if plus and (known := ENTRY.unpack_from(piece)[0]):
                    self.forget(known)
                piece = piece[ENTRY.size + ATTR.size if plus else 0:]
                _, cookie, length, _ = DIRENT.unpack_from(piece)
                name = os.fsdecode(piece[DIRENT.size:DIRENT.size + length])
                piece = piece[(DIRENT.size + length + 7) & ~7:]
                if name not in (".", ".."):
                    yield name
        self.call(RELEASEDIR, node, struct.pack("<QIIQ", fh, 0, 0, 0))
        self.forget(node)

    def read_and_go(self, path):
        """Ask for the entries of a directory and do not wait for them."""
        node, _ = self.walk(path)
        fh, = struct.unpack_from("<Q", self.call(OPENDIR, node, struct.pack("<II", 0, 0)))
        self._send(READDIRPLUS, node, struct.pack("<QQIIQII", fh, 0, 4096, 0, 0, 0, 0), None)

    def listdir(self, path):
        return list(self.entries(path, bytes_at_once=LARGEST))

    def sync_directory(self, path):
        node, _ = self.walk(path)
        fh, = struct.unpack_from("<Q", self.call(OPENDIR, node, struct.pack("<II", 0, 0)))
        self.call(FSYNCDIR, node, struct.pack("<QII", fh, 0, 0))
        self.call(RELEASEDIR, node, struct.pack("<QIIQ", fh, 0, 0, 0))
        self.forget(node)


class File:
    """An open file of a Client."""

    def __init__(self, client, node, fh):
        self.client, self.node, self.fh = client, node, fh

    def read(self, n, offset):
        data = b""
        while len(data) < n:
            piece = self.client.call(READ, self.node, struct.pack(
                "<QQIIQII", self.fh, offset + len(data), min(LARGEST, n - len(data)), 0, 0, 0, 0))
            data += piece
            if not piece:
                break
        return data

    def write(self, data, offset):
        done = 0
        while done < len(data):
            piece = data[done:done + LARGEST]
            header = struct.pack("<QQIIQII", self.fh, offset + done, len(piece), 0, 0, 0, 0)
            written, = struct.unpack_from("<I", self.client.call(WRITE, self.node, header + piece))
            done += written
        return done

    def fsync(self, data_only=False):
        self.client.call(FSYNC, self.node, struct.pack("<QII", self.fh, data_only, 0))

    def fallocate(self, mode, offset, length):
        self.client.call(FALLOCATE, self.node, struct.pack("<QQQII", self.fh, offset, length, mode, 0))

    def seek(self, offset, whence):
        return struct.unpack_from("<Q", self.client.call(
            LSEEK, self.node, struct.pack("<QQII", self.fh, offset, whence, 0)))[0]

    def stat(self):
        return stat_of(self.client.call(GETATTR, self.node, struct.pack("<IIQ", 1, 0, self.fh))[16:])

    def close(self):
        self.client.call(RELEASE, self.node, struct.pack("<QIIQ", self.fh, 0, 0, 0))
        self.client.forget(self.node)


def pair():
    """Two ends of a socket that keeps the bounds of messages, with room for the largest."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGEST)
    return ends
