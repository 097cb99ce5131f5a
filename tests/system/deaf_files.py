"""A file system that stops answering, and a guest who sends a file of it to a door: what whoever drops that file has to wait for.

    deaf_files.py DOOR
    deaf_files.py --mount DIR [UID] mounts it there for everybody, prints "mounted", and lets whoever opens DIR/file wait

Speaks the kernel's FUSE protocol on /dev/fuse. A file with a page that is not yet written back is closed in the kernel only once
the page was taken, and here nobody takes it. The file rests unread in a socket, and the socket is what is sent: so the one who
drops it is the last to hold the file, and the sender has no close of his own to wait for.

Prints "blocked" once somebody who read such a descriptor carelessly has not come back for a second (else "harmless"), then "sent"
when one was given to the door; whoever is there must not read it before that, so he has to be stopped. Exit status 77, and why,
where there is no FUSE. All that is blocked is let go when this ends.
"""
import array
import ctypes
import errno
import mmap
import os
import signal
import socket
import stat
import struct
import sys
import tempfile

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, WRITE, STATFS = 1, 2, 3, 4, 14, 16, 17
RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 18, 25, 26, 36, 42
WRITEBACK_CACHE = 1 << 16
FILE = 2        # its node; 1 is the directory
LIBC = ctypes.CDLL(None, use_errno=True)


def give_up(what):
    print("%s: %s" % (what, os.strerror(ctypes.get_errno())), flush=True)
    sys.exit(77)


def open_device():
    try:
        return os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as e:
        print("/dev/fuse: " + e.strerror, flush=True)
        sys.exit(77)


OPTIONS = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d"


def mount():
    """/dev/fuse, mounted where only we and our children see it: it is gone with us."""
    device = open_device()
    place = tempfile.mkdtemp(prefix="outpost-fuse-")
    options = OPTIONS % (device, 0, 0)
    if LIBC.unshare(0x00020000) or LIBC.mount(b"none", b"/", None, 0x44000, None):      # CLONE_NEWNS; MS_PRIVATE | MS_REC
        os.rmdir(place)
        give_up("no mount namespace here")
    if LIBC.mount(b"deaf", place.encode(), b"fuse", 0, options):
        os.rmdir(place)
        give_up("cannot mount a fuse here")
    return device, place


# ---- the file system

def attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o600
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body, deaf):
    """What is answered: bytes, an errno, or None for nothing."""
    if opcode in (FORGET, INTERRUPT, BATCH_FORGET) or (deaf and opcode in (WRITE, FLUSH)):
        return None
    if opcode == INIT:
        return struct.pack("<4IHHIIHHI28x", 7, 31, 65536, WRITEBACK_CACHE, 8, 8, 65536, 1, 0, 0, 0)
    if opcode == LOOKUP:
        return struct.pack("<4Q2I", FILE, 1, 60, 60, 0, 0) + attributes(FILE)
    if opcode in (GETATTR, SETATTR):
        return struct.pack("<QII", 60, 0, 0) + attributes(node)
    if opcode == STATFS:
        return bytes(80)
    if opcode == OPEN:
        return struct.pack("<QII", 1, 0, 0)
    if opcode == WRITE:
        return struct.pack("<II", struct.unpack_from("<I", body, 16)[0], 0)
    return b"" if opcode in (FLUSH, RELEASE) else errno.ENOSYS


def serve(device, deaf, silent=()):
    while True:
        request = os.read(device, 1 << 20)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        said = None if opcode in silent else answer(opcode, node, request[40:], deaf[0])
        if said is None:
            continue
        error, data = (-said, b"") if isinstance(said, int) else (0, said)
        os.write(device, struct.pack("<IiQ", 16 + len(data), error, unique) + data)


# ---- the guest

def send_fd(s, fd, data=b"O"):
    s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def hidden(path):
    """A socket that holds the only reference to the file, opened."""
    inner, far = socket.socketpair()
    fd = os.open(path, os.O_RDWR)
    send_fd(far, fd)
    os.close(fd)
    return inner, far


def somebody_careless():
    """Gets a descriptor as outpostd would, without looking: its socket, and a pipe that ends when it comes back. It looks
    only when it is sent SIGCONT, so that the descriptor is nobody else's by then."""
    ours, theirs = socket.socketpair()
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(r)
        os.kill(os.getpid(), signal.SIGSTOP)
        theirs.recv(1)
        os._exit(0)
    theirs.close()
    os.close(w)
    os.waitpid(pid, os.WUNTRACED)
    return pid, ours, r


def comes_back(r):
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        os.read(r, 1)
        return True
    except InterruptedError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def interrupted(*_):
    raise InterruptedError


def visit(path, deaf, door):
    signal.signal(signal.SIGALRM, interrupted)
    pid, careless, end = somebody_careless()    # before there is anything that he would inherit
    first, second = hidden(path), hidden(path)
    dirty = os.open(path, os.O_RDWR)
    os.pwrite(dirty, b"x" * 4096, 0)
    deaf[0] = 1
    for target, (inner, _) in ((careless, first), (None, second)):
        if target is None:
            target = socket.socket(socket.AF_UNIX)
            target.connect(door)
        send_fd(target, inner.fileno())
        inner.close()
        if target is careless:
            os.kill(pid, signal.SIGCONT)
            print("harmless" if comes_back(end) else "blocked", flush=True)
        else:
            print("sent", flush=True)
            target.recv(100)
    signal.pause()


def stay(place, uid):
    """Mounted for all who are where we are, as fusermount does it for uid; opening a file there has no end."""
    device = open_device()
    if LIBC.mount(b"deaf", place.encode(), b"fuse", 0, OPTIONS % (device, uid, uid) + b",allow_other"):
        give_up("cannot mount a fuse here")
    print("mounted", flush=True)
    try:
        serve(device, [0], (OPEN,))
    finally:
        LIBC.umount2(place.encode(), 2)


def main():
    if sys.argv[1] == "--mount":
        stay(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    device, place = mount()
    deaf = mmap.mmap(-1, 1)
    if os.fork() == 0:
        os.close(device)
        LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
        visit(os.path.join(place, "file"), deaf, sys.argv[1])
    try:
        serve(device, deaf)
    finally:
        LIBC.umount2(place.encode(), 2)
        os.rmdir(place)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
