"""sendmail alone: what composing and handing over cost beyond starting the program; large messages; many recipients.
The door is one of our own making that takes everything and answers at once."""
import os
import resource
import socket
import struct
import subprocess
import threading
import time

import bench
import harness


class Door(threading.Thread):
    """Reads submissions to their end record and says yes."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(100)
        self.taken = 0

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rb", 1 << 20) as f:
                f.read(8)
                kind = None
                while kind != b"Z":
                    head = f.read(5)
                    if len(head) < 5:
                        break
                    kind, n = head[:1], struct.unpack(">I", head[1:])[0]
                    f.read(n)
                if kind == b"Z":
                    self.taken += 1
                    client.sendall(b"0 2.0.0 ok queued as BENCH\n")


def cpu():
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


class Sendmail(harness.SystemTest):
    needs = ("sendmail",)

    def setUp(self):
        super().setUp()
        self.configure(relayhost="[localhost]:1", door_socket=os.path.join(self.tmp, "door"))
        self.door = Door(os.path.join(self.tmp, "door"))
        self.door.start()
        self.addCleanup(self.door.listener.close)

    def many(self, n, *args, path=os.devnull):
        argv = [harness.program("sendmail"), *args]
        before, began = cpu(), time.monotonic()
        for _ in range(n):
            with open(path, "rb") as f:
                subprocess.run(argv, stdin=f, stdout=subprocess.DEVNULL, env=self.environ(), check=True)
        return (cpu() - before) / n * 1000, (time.monotonic() - began) / n * 1000

    def file(self, data):
        path = os.path.join(self.tmp, "message")
        with open(path, "wb") as f:
            f.write(data)
        return path

    def test_two_kilobytes(self):
        path = self.file(b"Subject: x\nFrom: Some One <a@example.org>\nTo: b@example.net, c@example.net\n\n" +
                         b"A line of text, as programs write them.\n" * 50)
        n = max(50, int(500 * bench.SCALE))
        self.many(20, "--version")
        start = min(self.many(n, "--version")[0] for _ in range(3))
        whole = min(self.many(n, "-C", self.conf, "-t", "-i", path=path)[0] for _ in range(3))
        bench.figure("sendmail, 2 KB: CPU beyond starting the program", whole - start, "ms", most=0.3,
                     note="(start %.2f ms)" % start)

    def test_fifty_megabytes(self):
        path = self.file(b"Subject: x\n\n" + (b"x" * 71 + b"\n") * 728000)
        began = time.monotonic()
        with open(path, "rb") as f:
            p = subprocess.run(["/bin/sh", "-c", 'ulimit -S -d 4096; exec "$@"', "sh", harness.program("sendmail"), "-C",
                                self.conf, "you@example.net"], stdin=f, env=self.environ(), check=False)
        self.assertEqual(p.returncode, 0)
        bench.figure("sendmail, 50 MB, in 4 MB of memory: seconds", time.monotonic() - began, "s", most=5)

    def test_recipients(self):
        people = b",\n ".join(b"person%d@example.net" % i for i in range(100000))
        path = self.file(b"To: " + people + b"\n\nx\n")
        began = time.monotonic()
        self.many(1, "-C", self.conf, "-t", path=path)
        bench.figure("sendmail, 100,000 recipients in To: seconds", time.monotonic() - began, "s", most=3)


if __name__ == "__main__":
    harness.main()
