"""Attacks: what root looks at twice. Ann owns a directory that root is asked to use, and changes what its names mean while root's command
runs. Gained: her exec: program as root, the text of a file that only root reads, a file of hers in a directory of root's."""
import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import harness

ANN = 54322
AT_FDCWD, RENAME_EXCHANGE = -100, 2
# Doubled so often that expanding it all would take minutes; nothing grows.
SLOW = "z0 =\n" + "".join("z%d = $z%d$z%d\n" % (i, i - 1, i - 1) for i in range(1, 31))


@unittest.skipUnless(os.geteuid() == 0, "only root can be tricked")
class Swap(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="outpost-attack-")
        self.addCleanup(shutil.rmtree, self.place)
        os.chmod(self.place, 0o755)
        self.home = os.path.join(self.place, "ann")
        os.mkdir(self.home)
        os.chown(self.home, ANN, ANN)
        self.dir = self.make_dir("conf")
        self.seen = os.path.join(self.home, "seen")
        self.program = self.write(os.path.join(self.home, "program"), "#!/bin/sh\nid -u >>%s\necho user:password\n" % self.seen, 0o755)

    def make_dir(self, name):
        path = os.path.join(self.home, name)
        os.mkdir(path, 0o755)
        os.chown(path, ANN, ANN)
        return path

    def write(self, path, text, mode=0o644, owner=ANN):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        os.chown(path, owner, owner)
        return path

    def link(self, target, path):
        os.symlink(target, path)
        os.lchown(path, ANN, ANN)
        return path

    def config(self):
        return ("queue_directory = %s/queue\nrelayhost = [127.0.0.1]:9\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = exec:%s\n" %
                (self.home, self.program))

    def start(self, *argv):
        return subprocess.Popen([harness.program("outpost"), *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})

    def never_as_root(self):
        if os.path.exists(self.seen):
            with open(self.seen, encoding="utf-8") as f:
                self.assertNotIn("0", f.read().split())

    def exchange_until(self, over, a, b):
        """Two names exchanged all the time."""
        libc = ctypes.CDLL(None)

        def flip():
            while not over.is_set():
                libc.renameat2(AT_FDCWD, a.encode(), AT_FDCWD, b.encode(), RENAME_EXCHANGE)
        thread = threading.Thread(target=flip)
        thread.start()
        return thread

    def test_expansion_is_bounded(self):
        """It would hold the gap open for as long as Ann likes."""
        self.write(os.path.join(self.dir, "main.cf"), SLOW + self.config())
        process = self.start("-C", self.dir, "config", "relayhost")
        self.addCleanup(process.kill)
        process.communicate(timeout=20 * harness.PATIENCE)

    def test_directory_becomes_roots(self):
        """Its text is read as Ann's, its owner is asked when the name leads to /etc."""
        self.write(os.path.join(self.dir, "main.cf"), SLOW.split("z22")[0] + self.config())
        aside = self.link("/etc", os.path.join(self.home, "link"))
        for delay in (0.0, 0.01, 0.05, 0.2):
            process = self.start("-C", self.dir, "check")
            time.sleep(delay)
            ctypes.CDLL(None).renameat2(AT_FDCWD, self.dir.encode(), AT_FDCWD, aside.encode(), RENAME_EXCHANGE)
            process.communicate(timeout=60 * harness.PATIENCE)
            ctypes.CDLL(None).renameat2(AT_FDCWD, self.dir.encode(), AT_FDCWD, aside.encode(), RENAME_EXCHANGE)
        self.never_as_root()

    def test_text_of_roots_file(self):
        """main.cf is now a link to it and now a file of Ann's, while root edits."""
        secret = self.write(os.path.join(self.place, "secret"), "relayhost = [secret-words.example]\n", 0o600, 0)
        own = os.path.join(self.dir, "main.cf")
        other = self.link(secret, os.path.join(self.dir, "other"))
        over = threading.Event()
        for i in range(60):
            if not os.path.islink(own):
                self.write(own, "relayhost = [a.example]\n")
            over.clear()
            thread = self.exchange_until(over, own, other)
            out = self.start("-C", self.dir, "config", "myorigin=x%d.example.com" % i).communicate(timeout=60 * harness.PATIENCE)[0]
            over.set()
            thread.join()
            self.assertNotIn(b"secret-words", out)
            for name in os.listdir(self.dir):
                path = os.path.join(self.dir, name)
                if not os.path.islink(path):
                    with open(path, encoding="utf-8") as f:
                        self.assertNotIn("secret-words", f.read(), path)
        with open(secret, encoding="utf-8") as f:
            self.assertEqual(f.read(), "relayhost = [secret-words.example]\n")

    def test_directory_of_roots(self):
        """The directory is now Ann's and now a link to one of root's, which must not get a main.cf."""
        roots = os.path.join(self.place, "roots")
        os.mkdir(roots, 0o755)
        self.write(os.path.join(self.dir, "main.cf"), "relayhost = [a.example]\n")
        aside = self.link(roots, os.path.join(self.home, "link"))
        over = threading.Event()
        thread = self.exchange_until(over, self.dir, aside)
        try:
            for i in range(60):
                self.start("-C", self.dir, "config", "myorigin=x%d.example.com" % i).communicate(timeout=60 * harness.PATIENCE)
        finally:
            over.set()
            thread.join()
        self.assertEqual(os.listdir(roots), [])


if __name__ == "__main__":
    harness.main()
