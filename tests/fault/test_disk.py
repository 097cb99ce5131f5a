"""The machine runs out of something: of disk (a small tmpfs, and a small ext4 in a file), of the right to write (a read-only
remount), of memory (a control group of 64 MB and a message of 50), of descriptors, of file size.

Whatever happens: no exit status 0 without the message, each failure one clear line, and all goes on once there is room."""
import errno
import os
import resource
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import harness  # noqa: E402  pylint: disable=wrong-import-position
from test_managed import Manager  # noqa: E402  pylint: disable=wrong-import-position


class Scarce(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-drop")

    def submit(self, subject, *flags, body=None, **options):
        return self.run_program("sendmail", "-C", self.conf, "-f", "s@example.com", *flags, subject + "@example.net",
                                input="Subject: %s\n\n%s\n" % (subject, body or "body"), code=None, timeout=60, **options)

    def subjects(self, relay):
        return sorted(m.header("Subject") for m in relay.messages() if m.sender)

    def drain(self):
        def empty():
            self.outpost("flush", code=None, timeout=60)
            return not self.queue()
        harness.wait_for("an empty queue", empty, 30)

    def assert_arrived(self, relay, accepted):
        got = self.subjects(relay)
        self.assertEqual(sorted(set(accepted) - set(got)), [], "accepted and lost")
        announced = len(self.log_lines("may be delivered twice"))
        self.assertLessEqual(len(got) - len(set(got)), announced, "delivered twice without a word")


class Disk(Scarce):
    def mount(self, kind, size):
        os.mkdir(self.queue_dir, 0o700)
        if kind == "tmpfs":
            argv = ["mount", "-t", "tmpfs", "-o", "size=%d,mode=700" % size, "tmpfs", self.queue_dir]
        else:
            image = os.path.join(self.tmp, "image")
            with open(image, "wb") as f:
                f.truncate(size)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, stdout=subprocess.DEVNULL)
            argv = ["mount", "-o", "loop", image, self.queue_dir]
        done = subprocess.run(argv, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            self.skipTest("cannot mount a %s here: %s" % (kind, done.stderr.decode().strip()))
        os.chmod(self.queue_dir, 0o700)
        self.addCleanup(subprocess.run, ["umount", "-l", self.queue_dir], check=False)

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can mount")

    def fill(self, way):
        """Until two in a row are refused: (accepted, refusals)."""
        accepted, refused = [], []
        for i in range(400):
            done = self.submit("m%d" % i, "-odq", body="x" * 20000)
            if done.returncode == 0:
                accepted.append("m%d" % i)
                continue
            refused.append(done)
            self.assertEqual(done.returncode, 75, (way, done.err))
            self.assertRegex(done.err, r"(?i)full|no space", way)
            self.assertEqual(done.err.count("\n"), 1, done.err)
            if len(refused) > 1:
                return accepted
        self.fail("it never became full")

    def full(self, kind, size):
        self.mount(kind, size)
        relay = self.start_relay()
        self.configure(relay)
        ballast = os.path.join(self.queue_dir, "ballast")
        with open(ballast, "wb") as f:
            f.write(b"x" * (size // 3))
        service = self.start_outpostd()
        accepted = self.fill("door")
        self.assertGreater(len(accepted), 2)
        self.assertTrue(service.alive(), "a full disk ended outpostd: " + service.output())
        # the same without a daemon, through the drop
        service.kill()
        more = self.submit("drop", "-odq", body="x" * 20000)
        self.assertIn(more.returncode, (0, 75))
        if more.returncode == 0:
            accepted.append("drop")
        os.unlink(ballast)
        self.start_outpostd()
        self.assertEqual(self.submit("after").returncode, 0)
        accepted.append("after")
        self.drain()
        self.assert_arrived(relay, accepted)
        self.outpost("check", code=None)

    def test_full_tmpfs(self):
        self.full("tmpfs", 6 << 20)

    def test_full_ext4(self):
        self.full("ext4", 12 << 20)

    def test_full_before_there_is_a_queue(self):
        """Under a service manager, which keeps the door whether outpostd can start or not: nobody waits there."""
        self.mount("tmpfs", 1 << 20)
        relay = self.start_relay()
        door = os.path.join(self.tmp, "door")
        self.configure(relay, door_socket=door)
        ballast = os.path.join(self.queue_dir, "ballast")
        with self.assertRaises(OSError), open(ballast, "wb", buffering=0) as f:
            while f.write(b"x" * 4096):
                pass
        Manager(self, door).start()
        done = self.submit("refused")
        self.assertEqual(done.returncode, 75, done.err)
        self.assertRegex(done.err, r"(?i)full|no space")
        self.assertEqual(done.err.count("\n"), 1, done.err)
        self.assertNotIn("queue.db", os.listdir(self.queue_dir))
        os.unlink(ballast)
        harness.wait_for("one to be taken", lambda: self.submit("taken").returncode == 0)
        relay.wait_messages(1)
        self.assert_arrived(relay, ["taken"])

    def test_no_room_for_the_original(self):
        """A refused message is to go back whole, and there is no room for it: its header has to do, and the others go on."""
        self.mount("tmpfs", 8 << 20)
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-odq", "-f", "me@example.com", "-R", "full", "reject@example.net",
                      input=b"Subject: large\n\n" + (b"x" * 70 + b"\n") * 40000)
        self.assertEqual(self.submit("other", "-odq").returncode, 0)
        room = os.statvfs(self.queue_dir)
        with open(os.path.join(self.queue_dir, "ballast"), "wb") as f:
            f.write(b"x" * (room.f_bavail * room.f_bsize - (1500 << 10)))
        self.outpost("flush", code=None, timeout=60)
        self.wait_queue_empty()
        messages = {m.sender: m for m in relay.wait_messages(2)}
        self.assertEqual(sorted(messages), ["", "s@example.com"])
        self.assertIn(b"Subject: large", messages[""].data)
        self.assertLess(len(messages[""].data), 20000)
        self.assertFalse(self.log_lines("takes no commits"))

    def test_read_only(self):
        self.mount("tmpfs", 8 << 20)
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd()
        self.assertEqual(self.submit("before", "-odq").returncode, 0)
        service.kill()

        def remount(how):
            subprocess.run(["mount", "-o", "remount," + how, self.queue_dir], check=True)
        remount("ro")
        before = self.files()
        new = self.start_outpostd(wait=False)
        self.assertNotEqual(new.wait(), 0)
        self.assertRegex(new.output() + self.log_text(), r"(?i)read-only")
        done = self.submit("refused", "-odq")
        self.assertEqual(done.returncode, 75, done.err)
        self.assertRegex(done.err, r"(?i)read-only")
        self.assertEqual(self.files(), before)
        self.assertEqual(self.subjects(relay), [])      # what can't be settled is not sent
        remount("rw")
        self.start_outpostd()
        self.drain()
        self.assert_arrived(relay, ["before"])

    def files(self):
        found = {}
        for name in os.listdir(self.queue_dir):
            path = os.path.join(self.queue_dir, name)
            if os.path.isfile(path) and name.startswith("queue.db") and not name.endswith("-shm"):
                with open(path, "rb") as f:
                    found[name] = f.read()
        return found


class Memory(Scarce):
    def setUp(self):
        self.groups, self.passed_on = [], []
        self.addCleanup(self.remove_groups)     # comes first and so runs last, when nobody is left in them
        super().setUp()

    def remove_groups(self):
        for path in self.groups:
            os.rmdir(path)
        for path in self.passed_on:
            self.write(path, "-memory")

    # base, the limit, the same with swap in it (version 1) or that of swap alone (version 2), what is used
    PLACES = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.usage_in_bytes"),
              ("/sys/fs/cgroup", "memory.max", "memory.swap.max", "memory.current"),
              ("/sys/fs/cgroup/unified", "memory.max", "memory.swap.max", "memory.current"))

    def group(self, limit):
        """The path of a control group with this memory limit, and the name of the file that tells what is used of it."""
        reasons = []
        for place in self.PLACES:
            try:
                return self.make_group(*place, limit)
            except OSError as e:
                reasons.append("%s: %s" % (place[0], e.strerror))
        return self.skipTest("no memory control group can be made here: " + "; ".join(reasons))

    def make_group(self, base, name, swap, used, limit):
        if name == "memory.max":
            self.pass_on(base)
        elif not os.path.exists(os.path.join(base, name)):
            raise FileNotFoundError(errno.ENOENT, "no control groups of version 1 for memory")
        path = os.path.join(base, "outpost-test-%d" % os.getpid())
        os.mkdir(path)
        harness.write_down(path)
        self.groups.append(path)
        self.write(os.path.join(path, name), str(limit))
        if os.path.exists(os.path.join(path, swap)):        # not where the kernel counts no swap
            self.write(os.path.join(path, swap), "0" if name == "memory.max" else str(limit))
        with open(os.path.join(path, name)) as f:
            self.assertEqual(int(f.read()), limit)
        return path, used

    def pass_on(self, base):
        """Version 2 gives a group what the one above it passes on, which only one without processes may do, and the first."""
        with open(os.path.join(base, "cgroup.controllers")) as f:
            there = f.read().split()
        with open(os.path.join(base, "cgroup.subtree_control")) as f:
            passed = f.read().split()
        if "memory" not in there:
            raise OSError(errno.ENODEV, "version 2 has no memory controller here, but " + (" ".join(there) or "none"))
        if "memory" in passed:
            return
        try:
            self.write(os.path.join(base, "cgroup.subtree_control"), "+memory")
        except OSError as e:
            if e.errno == errno.EBUSY:
                raise OSError(e.errno, "it has processes of its own, so it may pass no memory on") from None
            raise
        self.passed_on.append(os.path.join(base, "cgroup.subtree_control"))

    @staticmethod
    def write(path, text):
        with open(path, "r+") as f:     # it is there already, or it is no control group
            f.write(text)

    def test_50_mb_in_64(self):
        if harness.ASAN:
            self.skipTest("sanitizers need more memory than that")
        group, used = self.group(64 << 20)
        relay = self.start_relay()
        self.configure(relay, message_size_limit="0")

        def enter():
            self.write(os.path.join(group, "cgroup.procs"), "0")    # whoever writes it
        self.outpostd_service = self.start(harness.program("outpostd"), "-C", self.conf, "-f",
                                           log=os.path.join(self.tmp, "outpostd.log"), preexec_fn=enter)
        harness.wait_for("the door", self.door_answers)
        body = ("0123456789" * 7 + "\n") * (50 * 1024 * 1024 // 71)
        done = self.submit("large", body=body, preexec_fn=enter)
        self.assertEqual(done.returncode, 0, done.err)
        message, = relay.wait_messages(1, 60)
        self.assertEqual(len(message.body), len(body) + 1)
        self.assertTrue(self.outpostd_service.alive())
        self.wait_queue_empty()
        # nothing was shown unless they were in the group, and it was counted
        with open("/proc/%d/cgroup" % self.outpostd_service.pid) as f:
            self.assertIn("/" + os.path.basename(group) + "\n", f.read())
        with open(os.path.join(group, used)) as f:
            self.assertGreater(int(f.read()), 1 << 20)
        self.outpostd_service.stop()


class Limits(Scarce):
    def limited(self, which, soft, hard):
        """An outpostd under a limit; None when it refused to start, and said why."""
        service = self.start(harness.program("outpostd"), "-C", self.conf, "-f", log=os.path.join(self.tmp, "outpostd.log"),
                             preexec_fn=lambda: resource.setrlimit(which, (soft, hard)))
        harness.wait_for("the door, or the end", lambda: self.door_answers() or not service.alive())
        if service.alive():
            return service
        self.assertRegex(service.output() + self.log_text(), r"(?i)limit|too many open files|too large")
        return None

    def after(self, relay, accepted):
        self.outpostd_service.kill()
        self.start_outpostd()
        self.drain()
        self.assert_arrived(relay, accepted)

    def test_file_size(self):
        relay = self.start_relay()
        self.configure(relay)
        self.outpostd_service = self.start_outpostd()
        self.assertEqual(self.submit("first", "-odq").returncode, 0)
        self.outpostd_service.stop()
        accepted = ["first"]
        service = self.limited(resource.RLIMIT_FSIZE, 1 << 20, 1 << 20)
        if service:
            self.outpostd_service = service
            for i in range(6):
                done = self.submit("m%d" % i, body="x" * 300000)
                self.assertIn(done.returncode, (0, 75), done.err)
                if done.returncode == 0:
                    accepted.append("m%d" % i)
        self.after(relay, accepted)

    def test_descriptors(self):
        relay = self.start_relay()
        self.configure(relay)
        accepted = []
        for n in (8, 12, 24, 64):
            service = self.limited(resource.RLIMIT_NOFILE, n, n)
            if not service:
                continue
            for i in range(3):
                done = self.submit("n%dm%d" % (n, i))
                self.assertIn(done.returncode, (0, 75), done.err)
                if done.returncode == 0:
                    accepted.append("n%dm%d" % (n, i))
            service.stop()
        self.outpostd_service = self.start_outpostd()
        self.drain()
        self.assert_arrived(relay, accepted)


if __name__ == "__main__":
    harness.main()
