"""flusher_case.py: an outpostd whose door the test itself knocks at."""
import os
import socket
import struct
import subprocess
import sys

import harness

NOBODY = 65534
CONTROL_MAGIC = b"OUTPOST-ASK 1 "


def record(kind, payload=b""):
    return kind + struct.pack(">I", len(payload)) + payload


def submission(sender="s@example.com", recipients=("r@example.net",), body=b"Subject: x\n\nx\n", token=None):
    """What sendmail would write."""
    return (b"OUTPOST1" + record(b"K", token or os.urandom(16)) + record(b"S", sender.encode()) +
            b"".join(record(b"R", r.encode()) for r in recipients) + record(b"B", b"7") +
            record(b"X", struct.pack(">I", body.find(b"\n\n") + 2)) +
            b"".join(record(b"M", body[i:i + 65536]) for i in range(0, len(body), 65536)) + record(b"Z", struct.pack(">Q", len(body))))


class Flusher(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def setUp(self):
        super().setUp()
        self.door = os.path.join(self.tmp, "door")
        os.chmod(self.tmp, 0o711)

    def configure(self, relay=None, **params):
        params.setdefault("door_socket", self.door)
        super().configure(relay, **params)

    def door_answers(self, path=None):
        return super().door_answers(path or self.door)

    def knock(self, data=b"", timeout=20):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout * harness.PATIENCE)

        def connected():
            try:
                s.connect(self.door)
                return True
            except BlockingIOError:     # the backlog is full at this moment
                return False
        harness.wait_for("the door", connected, timeout)
        if data:
            s.sendall(data)
        return s

    def guest(self):
        """Somebody who is connected and says nothing, where there is a door."""
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(self.door)
            return s
        except OSError:
            s.close()
            return None

    def answer(self, s):
        line = b""
        while not line.endswith(b"\n"):
            piece = s.recv(4096)
            if not piece:
                break
            line += piece
        return line.decode()

    def submit(self, **what):
        s = self.knock(submission(**what))
        line = self.answer(s)
        s.close()
        return line

    def submit_as(self, uid, data=None, **what):
        """A submission (or what else is said at the door) by somebody else; its answer and how long it took."""
        data = data or submission(**what)
        child = subprocess.run([sys.executable, "-c", """if 1:
            import os, socket, sys, time
            data = sys.stdin.buffer.read()
            os.setgroups([]); os.setgid(%d); os.setuid(%d)
            begin = time.monotonic()
            s = socket.socket(socket.AF_UNIX); s.connect(%r); s.sendall(data)
            said = b"".join(iter(lambda: s.recv(4096), b""))
            print(said.decode().strip(), time.monotonic() - begin)
        """ % (uid, uid, self.door)], input=data, stdout=subprocess.PIPE, timeout=60 * harness.PATIENCE, check=True)
        text, seconds = child.stdout.decode().strip().rsplit(" ", 1)
        return text, float(seconds)
