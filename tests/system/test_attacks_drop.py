"""Attacks by way of outpost-drop: what its caller made of its own process, how much it submits, and how long it stays."""
import ctypes
import os
import resource
import signal
import subprocess
import time

import harness
from drop_case import CALLER, DropCase, NOBODY_STARTED, OWNER, record, submission
from harness import wait_for

PR_SET_DUMPABLE, PR_SET_TIMERSLACK, PR_SET_TSC, ADDR_COMPAT_LAYOUT, STICKY_TIMEOUTS = 4, 29, 26, 0x0200000, 0x4000000
OTHER = CALLER + 1
SLOTS = 16


def libc():
    return ctypes.CDLL(None, use_errno=True)


class Inherited(DropCase):
    def spoil(self):
        """All that a user may do to a process of his own before it becomes outpost-drop."""
        libc().prctl(PR_SET_DUMPABLE, 1)
        libc().prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(3600 * 10 ** 9))
        libc().personality(ctypes.c_ulong(ADDR_COMPAT_LAYOUT | STICKY_TIMEOUTS))
        with open("/proc/self/oom_score_adj", "w") as f:
            f.write("1000")
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.nice(3)
        for which in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_STACK):
            hard = resource.getrlimit(which)[1]
            resource.setrlimit(which, (min(1 << 20, hard) if hard != resource.RLIM_INFINITY else 1 << 20, hard))

    def test_the_flusher_has_none_of_it(self):
        cpus = len(os.sched_getaffinity(0))
        for uid in (CALLER, 0):
            self.drop(None, uid=uid, preexec_fn=self.spoil)
            got = self.once()
            os.unlink(self.report)
            self.assertEqual(got["slack"], "50000", "poll's time-outs come an hour late")
            self.assertEqual(got["oom"], "0", "it is the first to be killed")
            self.assertEqual(got["cpus"], str(cpus))
            self.assertEqual(int(got["personality"], 16), 0)
            hard = [resource.getrlimit(w)[1] for w in (resource.RLIMIT_CPU, resource.RLIMIT_STACK, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE)]
            if hard[1] == resource.RLIM_INFINITY or hard[1] > 8 << 20:
                hard[1] = 8 << 20
            self.assertEqual(got["soft"], " ".join(map(str, hard)))

    def test_the_drop_itself_has_none_of_it(self):
        """Its own limit of time comes when it should."""
        begin = time.monotonic()
        p = self.spawn(preexec_fn=self.spoil)
        p.stdin.write(submission()[:40])
        p.stdin.flush()
        self.assertEqual(p.wait(60 * harness.PATIENCE), os.EX_TEMPFAIL)
        self.assertLess(time.monotonic() - begin, 20 * harness.PATIENCE)
        self.assertIn(b"sent nothing for 10 seconds", p.stdout.read())
        p.communicate()
        self.assertEqual(self.files(), [])

    def test_clock_that_is_a_fault(self):
        """PR_SET_TSC: reading the time stamp counter kills who reads it."""
        p = self.spawn(preexec_fn=lambda: libc().prctl(PR_SET_TSC, 2))
        p.communicate(submission(), timeout=60 * harness.PATIENCE)
        if p.returncode == 0:       # else the loader of the C library was killed before it was our turn
            self.only_file()

    def test_hard_limits(self):
        """Whatever is lowered for good, a message is taken whole or not at all, and no flusher is born under it."""
        for which, values in ((resource.RLIMIT_NPROC, (0, 1, 60, 200)), (resource.RLIMIT_NOFILE, (5, 60, 200)),
                              (resource.RLIMIT_FSIZE, (0, 1 << 20)), (resource.RLIMIT_CPU, (1, 60)),
                              (resource.RLIMIT_DATA, (0, 1 << 20, 1 << 26)), (resource.RLIMIT_AS, (1 << 21, 1 << 28)),
                              (resource.RLIMIT_STACK, (64 << 10, 1 << 20))):
            for value in values:
                with self.subTest(which=which, value=value):
                    subprocess.run(["rm", "-rf", self.spool + "/incoming"], check=True)
                    p = self.drop(None, code=None, preexec_fn=lambda: resource.setrlimit(which, (value, value)))
                    self.assertEqual(len(self.files()), p.returncode == 0)
                    if p.returncode == 0:
                        self.assertIn(NOBODY_STARTED, p.text)
        for which in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_RSS, resource.RLIMIT_MSGQUEUE,
                      resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO, resource.RLIMIT_RTTIME, resource.RLIMIT_SIGPENDING):
            with self.subTest(which=which):
                self.assertNotIn(NOBODY_STARTED, self.drop(None, preexec_fn=lambda: resource.setrlimit(which, (0, 0))).text)
                self.once()
                os.unlink(self.report)

    def test_lowest_priorities(self):
        """Only root can take them back, and a busy machine would never let such a flusher run."""
        for argv in (["nice", "-n", "19"], ["chrt", "-i", "0"]):
            self.assertIn("at the low priority of the caller", self.drop(None, *argv[1:], self.built, prog=argv[0]).text)
            p = self.drop(b"", *argv[1:], self.built, "wake", prog=argv[0], code=os.EX_UNAVAILABLE)
            self.assertIn("at the low priority of the caller", p.text)
            self.assertFalse(os.path.exists(self.report))
            self.drop(None, *argv[1:], self.built, prog=argv[0], uid=0)
            self.once()
            os.unlink(self.report)

    def test_control_group(self):
        """Whoever may freeze the group that a flusher was born in could stop everybody's mail."""
        for place in ("/sys/fs/cgroup/freezer", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            if os.path.exists(place + "/cgroup.procs"):
                break
        else:
            self.skipTest("no control groups are mounted here")
        group = "%s/outpost-test-%d" % (place, os.getpid())
        try:
            os.makedirs(group + "/inner")
        except OSError as e:
            self.skipTest("no control group can be made here: %s" % e)
        self.addCleanup(subprocess.run, ["rmdir", group + "/inner", group])
        os.chown(group, CALLER, CALLER)

        def enter():
            with open(group + "/inner/cgroup.procs", "w") as f:
                f.write("0")
        argv = ["sh", "-c", "echo $$ >%s/inner/cgroup.procs && exec setpriv --reuid %d --regid %d --clear-groups %s" % (
            group, CALLER, CALLER, self.built)]
        done = subprocess.run(argv, input=submission(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b"no flusher was started in a control group of uid %d" % CALLER, done.stdout)
        self.only_file()
        self.assertFalse(os.path.exists(self.report))
        os.chown(group, 0, 0)
        done = subprocess.run(argv, input=submission(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertNotIn(b"no flusher", done.stdout)
        self.once()


class Rights(DropCase):
    def refused(self, argv, why):
        done = subprocess.run(argv, input=submission(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=CALLER, group=CALLER,
                              extra_groups=[])
        if done.returncode and (b"unshare" in done.stderr or b"setpriv" in done.stderr):
            self.skipTest(done.stderr.decode())
        self.assertNotEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, why)
        self.assertEqual(self.files(), [])
        self.assertFalse(os.path.exists(self.report))

    def test_user_namespace(self):
        """Root in a name space of one's own is nobody outside, and set-id rights for a uid that is not in it do not take hold."""
        self.refused(["unshare", "-U", self.built], rb"^75 .*without its set-id rights")
        self.refused(["unshare", "-Ur", self.built], rb"^\d+ [45]\.")
        self.refused(["unshare", "-Urm", "sh", "-c", "mount -t tmpfs tmpfs /sys 2>/dev/null; exec " + self.built], rb"^\d+ [45]\.")

    def test_no_new_privileges(self):
        self.refused(["setpriv", "--no-new-privs", self.built], rb"^75 .*NoNewPrivileges")
        self.refused(["setpriv", "--no-new-privs", self.built, "wake"], rb"^75 .*NoNewPrivileges")


class Slots(DropCase):
    def hold(self, uid, n):
        """n drops in the middle of a submission."""
        held = []
        for _ in range(n):
            p = self.spawn(uid=uid, stdout=subprocess.DEVNULL)
            p.stdin.write(submission()[:40])
            p.stdin.flush()
            held.append(p)
            self.addCleanup(self.end, p)
        return held

    @staticmethod
    def end(p):
        if p.poll() is None:
            p.kill()
        p.communicate()

    @staticmethod
    def owners(processes):
        """The uids under which they run: the caller's until there is a slot, the owner's from then on."""
        uids = []
        for p in processes:
            try:
                with open("/proc/%d/status" % p.pid) as f:
                    uids.append(int(next(line for line in f if line.startswith("Uid:")).split()[1]))
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                pass
        return uids

    def test_one_user_has_so_many(self):
        held = self.hold(CALLER, 40)
        wait_for("the slots to be taken", lambda: self.owners(held).count(OWNER) == SLOTS)
        begin = time.monotonic()
        self.drop(None, uid=OTHER)                              # others have their own
        self.drop(None, uid=0)
        self.assertLess(time.monotonic() - begin, 3 * harness.PATIENCE)
        self.assertEqual(self.owners(held).count(OWNER), SLOTS)
        p = self.drop(None, code=os.EX_TEMPFAIL)
        self.assertIn("too many submissions of this user at a time", p.text)
        for p in held:
            if p.poll() is None:
                p.send_signal(signal.SIGKILL)                   # as root: nothing is left behind
                p.wait()
        self.drop(None)

    def test_those_who_wait_are_the_callers_own(self):
        """They count against its own limit of processes, and it may kill them."""
        held = self.hold(CALLER, SLOTS)
        wait_for("the slots to be taken", lambda: self.owners(held).count(OWNER) == SLOTS)
        waiting = self.hold(CALLER, 3)
        time.sleep(0.5)
        self.assertEqual(self.owners(waiting), [CALLER] * 3)
        held[0].kill()
        wait_for("one of them to have it", lambda: self.owners(waiting).count(OWNER) == 1)

    def test_many_at_once_are_served(self):
        """So many that are quick, of one user, all find a slot."""
        everyone = []
        for i in range(60):
            with open("%s/%d" % (self.tmp, i), "wb") as f:
                f.write(submission(extra=record("Q")))
            with open("%s/%d" % (self.tmp, i), "rb") as f:
                everyone.append(self.spawn(stdin=f))
        for p in everyone:
            out, _ = p.communicate(timeout=60 * harness.PATIENCE)
            self.assertEqual(p.returncode, 0, out)
        self.assertEqual(len(self.files()), 60)


class Disk(DropCase):
    def on_small_disk(self, options, before, uid=CALLER, data=None):
        """The drop with a queue on a tmpfs in which something has happened."""
        ids = "--reuid %d --regid %d" % (uid, uid)
        script = ("mount -t tmpfs -o mode=700,uid=%d,gid=%d,%s tmpfs %s && cd %s && (%s) >/dev/null 2>&1; setpriv %s --clear-groups %s; "
                  "code=$?; ls %s/incoming >&2; exit $code" % (OWNER, OWNER, options, self.spool, self.spool, before, ids, self.built,
                                                               self.spool))
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], input=data or submission(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if b"unshare:" in done.stderr or b"mount:" in done.stderr:
            self.skipTest(done.stderr.decode())
        if before == "true":
            self.assertEqual(done.stderr.count(b".msg"), done.returncode == 0, done)
        return done

    def big(self, size):
        return submission(b"Subject: big\n\n" + (b"x" * 75 + b"\n") * (size // 76))

    def test_last_twentieth_is_for_others(self):
        """Root's mail, and outpost's own, may still be taken."""
        most = "head -c %d /dev/zero >fill"
        done = self.on_small_disk("size=64m", most % (62 << 20))
        self.assertEqual(done.returncode, os.EX_TEMPFAIL)
        self.assertRegex(done.stdout, rb"^75 4\.3\.1 storage-full the disk of the queue is nearly full")
        for uid in (0, OWNER):
            self.assertEqual(self.on_small_disk("size=64m", most % (62 << 20), uid).returncode, 0)
        self.assertEqual(self.on_small_disk("size=64m", most % (60 << 20)).returncode, 0)

    def test_twice_its_size(self):
        """What is taken must be able to leave incoming/, which takes its size twice more."""
        for size, code in ((30, 75), (22, 75), (20, 0)):
            with self.subTest(size=size):
                self.assertEqual(self.on_small_disk("size=64m", "true", data=self.big(size << 20)).returncode, code)

    def test_something_is_left_for_others(self):
        """However much one user submits, one who has nothing in the queue finds room: by bytes, and by inodes."""
        as_user = "setpriv --reuid %d --regid %d --clear-groups " + self.built
        for options, size in (("size=64m", 9 << 20), ("size=64m", 600 << 10), ("size=64m,nr_inodes=400", 1000)):
            with open(self.tmp + "/big", "wb") as f:
                f.write(self.big(size))
            fill = "while %s <%s/big; do :; done; [ $(ls incoming | wc -l) -gt 1 ]" % (as_user % (CALLER, CALLER), self.tmp)
            done = self.on_small_disk(options, fill, OTHER)
            self.assertEqual(done.returncode, 0, (options, size, done))

    def test_inodes(self):
        some = "for i in $(seq %d); do : >$i; done"
        for uid, files, code in ((CALLER, 385, 75), (0, 385, 0), (CALLER, 290, 0)):
            done = self.on_small_disk("size=64m,nr_inodes=400", some % files, uid)
            self.assertEqual(done.returncode, code, done)
        self.assertIn(b"inodes", self.on_small_disk("size=64m,nr_inodes=400", some % 385).stdout)

    def test_ceiling(self):
        """Also of records that nobody knows, and that are no part of the message."""
        whole = submission()
        p = self.spawn()
        piece = record("x", b"\0" * (64 << 10))
        try:
            p.stdin.write(whole[:8 + 5 + 16])     # as far as the token
            for _ in range(5000):
                p.stdin.write(piece)
            p.stdin.close()
        except BrokenPipeError:
            pass
        self.assertEqual(p.wait(60 * harness.PATIENCE), os.EX_UNAVAILABLE)
        self.assertIn(b"too large for outpost-drop", p.stdout.read())
        p.stdout.close()
        p.stderr.close()
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    harness.main()
