"""outpost-drop under set-id rights: each thing that its caller controls, and what may never come of it."""
import ctypes
import fcntl
import os
import re
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import harness
from drop_case import CALLER, DropCase, LETTER, NOBODY_STARTED, OWNER, REPORT, record, submission
from harness import SRC, program, wait_for


class Drop(DropCase):
    # -- the plain way

    def test_message_is_there(self):
        data = submission()
        before = time.time()
        p = self.drop(data)
        # A file is no queue id, and is not to be taken for one.
        self.assertRegex(p.text, r"\A0 2\.0\.0 ok queued as incoming/%s \(it has no id until outpostd takes it in\)\n\Z"
                         % os.path.basename(self.only_file()))
        got = self.content()
        self.assertEqual(got[:8], b"OUTDROP1")
        uid, arrival = struct.unpack(">IQ", got[8:20])
        self.assertEqual(uid, CALLER)
        self.assertLess(abs(arrival / 1e6 - before), 60)
        self.assertEqual(got[20:], data)
        st = os.stat(self.only_file())
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (OWNER, OWNER, 0o600))
        st = os.stat(self.spool + "/incoming")
        self.assertEqual((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (OWNER, OWNER, 0o700))

    def test_one_shot_flusher_is_clean(self):
        """Nothing of the caller's is left in the flusher that is started."""
        r, w = os.pipe()
        try:
            self.drop(None, env={"LD_PRELOAD": "/nonexistent.so", "IFS": "x", "EVIL": "1", "TZ": "../../etc/passwd"},
                      pass_fds=[r, w], umask=0)
        finally:
            os.close(r)
            os.close(w)
        got = self.once()
        self.assertEqual(got["args"], "--once")
        self.assertNotIn("EVIL", got["env"])
        self.assertNotIn("LD_PRELOAD", got["env"])
        self.assertEqual(got["cwd"], "/")
        self.assertEqual(got["ids"], "(%d, %d, %d) (%d, %d, %d)" % ((OWNER,) * 6))
        self.assertEqual(got["fds"], "[0, 1, 2]")
        self.assertEqual(got["leader"], "True")

    def test_what_the_caller_made_of_himself(self):
        """nice(1), chrt(1) and ionice(1) are for his job, not for the flusher that was born from it; a nice value takes root to undo."""
        for uid, level in ((CALLER, min(os.getpriority(os.PRIO_PROCESS, 0) + 7, 19)), (0, 0)):
            self.drop(None, "-n", "7", "ionice", "-c", "3", "chrt", "-b", "0", self.built, prog="nice", uid=uid)
            got = self.once()
            os.unlink(self.report)
            self.assertEqual(got["level"].split()[:2], [str(level), "0"])
            self.assertNotIn("idle", got["level"])

    def test_no_flusher_where_a_service_manager_has_the_door(self):
        open(self.rundir + "/managed", "w").close()
        p = self.drop()
        self.assertNotIn(NOBODY_STARTED, p.text)
        self.drop(submission(extra=record("Q")))
        os.unlink(self.rundir + "/managed")
        self.drop(submission(extra=record("Q")))
        self.assertFalse(os.path.exists(self.report))
        self.assertEqual(len(self.files()), 3)

    def test_wake_starts_a_flusher_and_takes_nothing(self):
        p = self.drop(submission(), "wake", env={"LD_PRELOAD": "/nonexistent.so", "EVIL": "1"})
        self.assertEqual(p.text, "0 2.0.0 ok outpostd listens\n")
        got = self.once()
        self.assertEqual((got["args"], got["cwd"], got["fds"]), ("--once", "/", "[0, 1, 2]"))
        self.assertNotIn("EVIL", got["env"])
        self.assertEqual(got["ids"], "(%d, %d, %d) (%d, %d, %d)" % ((OWNER,) * 6))
        self.assertEqual(self.files(), [])

    def test_wake_says_why_not(self):
        limit = resource.getrlimit(resource.RLIMIT_CPU)[1]
        p = self.drop(b"", "wake", code=os.EX_UNAVAILABLE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (999, 999)))
        self.assertIn("lowered limit of CPU time", p.text, limit)
        open(self.rundir + "/managed", "w").close()
        self.assertIn("service manager", self.drop(b"", "wake", code=os.EX_UNAVAILABLE).text)
        os.unlink(self.rundir + "/managed")
        self.assertFalse(os.path.exists(self.report))
        self.assertIn("set-id", self.drop(b"", "wake", prog=self.place + "/plain", code=os.EX_TEMPFAIL).text)

    # -- mailq of an ordinary user where nobody is at the door

    @classmethod
    def build_sendmail(cls):
        """sendmail with this test's door and configuration, beside the drop, and a real outpostd behind it."""
        target = cls.place + "/sendmail"
        if os.path.exists(target):
            return target
        etc = cls.place + "/etc"
        os.mkdir(etc)
        with open(etc + "/main.cf", "w") as f:
            f.write("relayhost = [127.0.0.1]:9\nqueue_directory = %s\ndoor_socket = %s/door\nmyorigin = example.com\n"
                    "alias_maps =\nmaillog_file = %s/log\n" % (cls.spool, cls.rundir, cls.spool))
        cls.compile(target, "src/sendmail", sorted(n for n in os.listdir(os.path.join(SRC, "src/sendmail")) if n.endswith(".c")),
                    ["rules", "mail", "submission", "control", "conf", "maps", "base"])
        return target

    def with_outpostd(self, script):
        with open(self.place + "/sbin/outpostd", "w") as f:
            f.write(script)
        def back():
            with open(self.place + "/sbin/outpostd", "w") as f:
                f.write(REPORT % self.report)
        self.addCleanup(back)

    def asked(self, *args, code=0):
        p = self.spawn(*args, prog=self.build_sendmail(), stdin=subprocess.DEVNULL)
        out, err = p.communicate(timeout=60 * harness.PATIENCE)
        self.assertEqual(p.returncode, code, (out, err))
        return out.decode(), err.decode()

    def test_mailq_has_a_flusher_started(self):
        self.build_sendmail()
        self.drop(submission(extra=record("Q")))
        self.with_outpostd("#!/bin/sh\nexec %s -C %s \"$@\"\n" % (program("outpostd"), self.place + "/etc"))
        os.chown(self.rundir, OWNER, OWNER)
        out, err = self.asked("-bp")
        self.assertIn("r@example.com", out, err)
        self.assertIn("in 1 Request.", out)
        wait_for("the one-shot flusher to leave", lambda: not os.path.exists(self.rundir + "/door"))
        for _ in range(4):      # while it is leaving it neither answers nor lets another in
            self.assertEqual(self.asked("-q"), ("", ""))
            wait_for("the one-shot flusher to leave", lambda: not os.path.exists(self.rundir + "/door"))

    def test_mailq_has_them_all(self):
        """However many lie in incoming/ when the flusher is started for it."""
        self.build_sendmail()
        os.mkdir(self.spool + "/incoming", 0o700)
        os.chown(self.spool + "/incoming", OWNER, OWNER)
        for i in range(300):
            path = self.spool + "/incoming/" + ("%024d.msg" % i).replace("0", "A").replace("1", "B")
            with open(path, "wb") as f:
                f.write(b"OUTDROP1" + struct.pack(">IQ", CALLER, int(time.time() * 1e6)) + submission(extra=record("Q")))
            os.chown(path, OWNER, OWNER)
            os.chmod(path, 0o600)
        self.with_outpostd("#!/bin/sh\nexec %s -C %s \"$@\"\n" % (program("outpostd"), self.place + "/etc"))
        os.chown(self.rundir, OWNER, OWNER)
        self.assertEqual(self.asked("-bP")[0], "Total requests: 300\n")
        wait_for("the one-shot flusher to leave", lambda: not os.path.exists(self.rundir + "/door"))

    def test_mailq_at_the_door_of_one_who_leaves(self):
        """He let us in and is gone, without a look at us: another is started."""
        self.build_sendmail()
        self.with_outpostd("#!/bin/sh\nexec %s -C %s \"$@\"\n" % (program("outpostd"), self.place + "/etc"))
        os.chown(self.rundir, OWNER, OWNER)
        for args, answer in ((("-bp",), "Mail queue is empty\n"), (("-q",), "")):
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(self.rundir + "/door")
                os.chmod(self.rundir + "/door", 0o666)
                door.listen()
                leaving = threading.Thread(target=self.let_in_and_leave, args=(door,))
                leaving.start()
                self.assertEqual(self.asked(*args), (answer, ""))
                leaving.join()
            wait_for("the one-shot flusher to leave", lambda: not os.path.exists(self.rundir + "/door"))

    def let_in_and_leave(self, door):
        with door.accept()[0]:
            os.unlink(self.rundir + "/door")

    def test_mailq_says_why_there_is_no_flusher(self):
        self.with_outpostd("#!/bin/sh\necho outpostd: main.cf: line 7 makes no sense >&2\nexit 78\n")
        for args in (("-bp",), ("-q",)):
            out, err = self.asked(*args, code=os.EX_UNAVAILABLE)
            self.assertEqual(out, "")
            self.assertIn("none could be started: outpostd: main.cf: line 7 makes no sense", err)
            self.assertEqual(err.count("\n"), 1, err)

    def test_large_message_in_constant_memory(self):
        body = b"Subject: big\n\n" + b"x" * 76 + b"\n"
        body += (b"y" * 76 + b"\n") * (25 * 1024 * 1024 // 77)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        p = self.spawn()
        out, err = p.communicate(submission(body), timeout=120 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0, (out, err))
        self.assertGreater(os.path.getsize(self.only_file()), len(body))
        if not harness.ASAN:
            self.assertLess(max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before, 0), 16 * 1024)

    # -- descriptors

    def test_closed_descriptors(self):
        for closed in ((1,), (2,), (1, 2)):
            with self.subTest(closed=closed):
                shutil.rmtree(self.spool + "/incoming", ignore_errors=True)
                data = submission()
                p = self.spawn(preexec_fn=lambda: [os.close(fd) for fd in closed])
                p.communicate(data)
                # glibc, for a set-id program, opens something there that can't be written to
                self.assertIn(p.returncode, (0, os.EX_IOERR))
                self.assertEqual(self.content()[20:], data)     # no answer was written into the message
        for closed in ((0,), (0, 1), (0, 1, 2)):
            with self.subTest(closed=closed):
                shutil.rmtree(self.spool + "/incoming", ignore_errors=True)
                p = self.spawn(stdin=subprocess.DEVNULL, preexec_fn=lambda: [os.close(fd) for fd in closed])
                p.communicate()
                self.assertIn(p.returncode, (os.EX_DATAERR, os.EX_IOERR))
                self.assertEqual(self.files(), [])

    def test_descriptors_that_are_no_pipes(self):
        for mode in (os.O_RDONLY, os.O_WRONLY):
            fd = os.open("/dev/null", mode)
            try:
                self.drop(b"", stdin=fd, code=os.EX_DATAERR if mode == os.O_RDONLY else os.EX_IOERR)
            finally:
                os.close(fd)
        with open(self.tmp + "/submission", "wb") as f:
            f.write(submission())
        with open(self.tmp + "/submission", "rb") as f:
            self.drop(b"", stdin=f)
        self.only_file()

    # -- environment, cwd, umask, argv

    def test_environment(self):
        self.drop(None, env={"TMPDIR": "/nonexistent", "MALLOC_PERTURB_": "1", "GLIBC_TUNABLES": "glibc.malloc.check=3",
                             "LD_LIBRARY_PATH": self.tmp, "OUTPOST_KILL_AT": "drop-linked", "MAIL_CONFIG": self.tmp})
        self.only_file()

    def test_cwd_is_gone(self):
        gone = self.tmp + "/gone"
        os.mkdir(gone)
        os.chmod(gone, 0o777)

        def vanish():
            os.chdir(gone)
            os.rmdir(gone)
        os.chmod(self.tmp, 0o777)
        self.drop(None, preexec_fn=vanish)
        self.assertFalse(os.path.exists(gone))
        self.only_file()

    def test_umask(self):
        for mask in (0o777, 0):
            shutil.rmtree(self.spool + "/incoming", ignore_errors=True)
            self.drop(None, umask=mask)
            self.assertEqual(stat.S_IMODE(os.stat(self.only_file()).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.stat(self.spool + "/incoming").st_mode), 0o700)

    def test_no_argv(self):
        """execve with an empty argument vector."""
        libc = ctypes.CDLL(None, use_errno=True)
        r, w = os.pipe()
        out_r, out_w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setresgid(CALLER, CALLER, CALLER)
            os.setresuid(CALLER, CALLER, CALLER)
            os.dup2(r, 0)
            os.dup2(out_w, 1)
            os.closerange(3, 64)
            libc.execve(self.built.encode(), (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))
            os._exit(99)
        os.close(r)
        os.close(out_w)
        os.write(w, submission())
        os.close(w)
        _, status = os.waitpid(pid, 0)
        text = os.read(out_r, 1000).decode()
        os.close(out_r)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, text)
        self.only_file()

    def test_options_are_few(self):
        for args in (("-x",), ("-q",), ("-C", "/tmp"), ("-q", "relative"), ("x",), ("-q", "/x", "-f", "/y"),
                     ("wake", "x"), ("-q", "/x", "wake")):
            self.drop(None, *args, code=os.EX_USAGE)
        self.assertEqual(self.files(), [])

    # -- limits

    def limited(self, which, soft, hard, data=None, code=0):
        return self.drop(data, preexec_fn=lambda: resource.setrlimit(which, (soft, hard)), code=code)

    def test_soft_limits_are_raised(self):
        inf = resource.RLIM_INFINITY
        if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != inf:
            self.skipTest("the hard limit of file sizes is lowered here")
        self.assertNotIn(NOBODY_STARTED, self.limited(resource.RLIMIT_FSIZE, 10, inf).text)

    def test_file_size_limit(self):
        p = self.limited(resource.RLIMIT_FSIZE, 10, 10, code=os.EX_TEMPFAIL)
        self.assertIn("file size limit", p.text)
        self.assertEqual(self.files(), [])
        p = self.limited(resource.RLIMIT_FSIZE, 100, 100, data=submission(LETTER * 100), code=os.EX_TEMPFAIL)
        self.assertEqual(self.files(), [])
        p = self.limited(resource.RLIMIT_FSIZE, 100000, 100000)
        self.assertIn(NOBODY_STARTED, p.text)       # a flusher would settle a few messages and then fail
        self.assertFalse(os.path.exists(self.report))
        self.only_file()

    def test_descriptor_limit(self):
        for n in range(3, 12):
            with self.subTest(n=n):
                shutil.rmtree(self.spool + "/incoming", ignore_errors=True)
                p = self.limited(resource.RLIMIT_NOFILE, n, n, code=None)
                if p.returncode == 0:
                    self.assertIn(NOBODY_STARTED, p.text)
                    self.only_file()
                else:
                    self.assertIn(p.returncode, (os.EX_TEMPFAIL, os.EX_OSFILE, 127))
                    self.assertEqual(self.files(), [])

    def test_memory_limit(self):
        if harness.ASAN:
            self.skipTest("sanitizers need all the address space there is")
        for kb in (500, 1500, 2000, 2500, 3000, 4000, 8000):
            with self.subTest(kb=kb):
                shutil.rmtree(self.spool + "/incoming", ignore_errors=True)
                p = self.limited(resource.RLIMIT_AS, kb * 1024, kb * 1024, code=None)
                self.assertEqual(len(self.files()), 1 if p.returncode == 0 else 0)

    def test_cpu_and_process_limits(self):
        p = self.limited(resource.RLIMIT_CPU, 1, 1)
        self.assertIn(NOBODY_STARTED, p.text)
        self.only_file()
        shutil.rmtree(self.spool + "/incoming")
        p = self.limited(resource.RLIMIT_NPROC, 0, 0, code=None)
        self.assertEqual(len(self.files()), 1 if p.returncode == 0 else 0)
        for which, few in ((resource.RLIMIT_NPROC, 20), (resource.RLIMIT_STACK, 256 << 10)):
            self.assertIn(NOBODY_STARTED, self.limited(which, few, few).text)
        self.assertFalse(os.path.exists(self.report))

    # -- signals and time

    def test_terminal_signals(self):
        """Signals of the terminal go by process group, not by uid."""
        data = submission()
        p = self.spawn(start_new_session=True)
        p.stdin.write(data[:40])
        p.stdin.flush()
        self.wait_own_ids(p.pid)
        for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
                    signal.SIGPIPE, signal.SIGXFSZ):
            os.kill(p.pid, sig)
        out, _ = p.communicate(data[40:], timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0, out)
        self.assertEqual(self.content()[20:], data)

    def test_inherited_signal_state(self):
        def spoil():
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
        p = self.spawn(preexec_fn=spoil)
        self.wait_own_ids(p.pid)
        time.sleep(1.2)         # the caller's timer would have come
        out, _ = p.communicate(submission(), timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0, out)
        self.once()

    def test_nothing_of_the_callers_is_left(self):
        """While it waits for the submission, as /proc has it: blocked and ignored signals, descriptors, directory, umask, soft limits."""
        def spoil():
            os.chdir(self.tmp)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
            for sig in (signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM):
                signal.signal(sig, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        r, w = os.pipe()
        p = self.spawn(preexec_fn=spoil, pass_fds=[r, w], umask=0o222)
        self.wait_own_ids(p.pid)
        with open("/proc/%d/status" % p.pid) as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        ignored = int(status["SigIgn"], 16)
        self.assertEqual(int(status["SigBlk"], 16), 0)
        self.assertEqual([sig for sig in (signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM) if ignored >> sig - 1 & 1], [])
        self.assertEqual(status["Umask"], "0077")
        self.assertEqual(os.readlink("/proc/%d/cwd" % p.pid), "/")
        pipe = os.readlink("/proc/self/fd/%d" % r)
        os.close(r)
        os.close(w)
        held = harness.open_files(p.pid)
        self.assertNotIn(pipe, held)
        with open("/proc/%d/limits" % p.pid) as f:
            soft, hard = re.search(r"Max open files +(\S+) +(\S+)", f.read()).groups()
        self.assertEqual(soft, hard)
        out, _ = p.communicate(submission(), timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0, out)
        self.once()

    def ids_of(self, pid):
        with open("/proc/%d/status" % pid) as f:
            lines = dict(line.split(":", 1) for line in f)
        return [int(x) for x in lines["Uid"].split()[:3] + lines["Gid"].split()[:3]]

    def wait_own_ids(self, pid, who=OWNER):
        wait_for("its own ids", lambda: self.ids_of(pid) == [who] * 6)

    def test_caller_has_no_hold_on_it(self):
        p = self.spawn()
        self.wait_own_ids(p.pid)
        check = subprocess.run(["/usr/bin/python3", "-c", """
import os, signal, sys
for sig in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM, signal.SIGTSTP):
    try: os.kill(int(sys.argv[1]), sig)
    except PermissionError: continue
    sys.exit("%s was sent" % sig)
try: open("/proc/%s/mem" % sys.argv[1], "rb"); sys.exit("its memory can be read")
except PermissionError: pass
""", str(p.pid)], user=CALLER, group=CALLER, extra_groups=[], stderr=subprocess.PIPE, text=True)
        self.assertEqual(check.returncode, 0, check.stderr)
        out, _ = p.communicate(submission(), timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0, out)

    def test_killed_half_way_leaves_nothing(self):
        p = self.spawn()
        p.stdin.write(submission()[:60])
        p.stdin.flush()
        self.wait_own_ids(p.pid)
        wait_for("incoming", lambda: os.path.isdir(self.spool + "/incoming"))
        p.kill()
        p.communicate()
        self.assertEqual(self.files(), [])

    def test_frozen_one_stops_nobody(self):
        """A writer frozen by its caller's cgroup holds no lock that others need."""
        p = self.spawn()
        p.stdin.write(submission()[:60])
        p.stdin.flush()
        self.wait_own_ids(p.pid)
        os.kill(p.pid, signal.SIGSTOP)      # as root; for the others the same as cgroup.freeze
        try:
            self.drop()
            self.only_file()
        finally:
            os.kill(p.pid, signal.SIGCONT)
        p.communicate(submission()[60:], timeout=30 * harness.PATIENCE)

    # -- standard output

    def test_full_pipe(self):
        r, w = os.pipe()
        fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            while True:
                os.write(w, b"x" * 4096)
        except BlockingIOError:
            pass
        fcntl.fcntl(w, fcntl.F_SETFL, 0)
        p = self.spawn(stdout=w)
        os.close(w)
        p.stdin.write(submission())
        p.stdin.close()
        wait_for("the message", self.files)         # safe before anybody reads the answer
        with open(r, "rb") as f:
            text = f.read().lstrip(b"x")
        self.assertTrue(text.startswith(b"0 2.0.0 ok queued as"), text)
        self.assertEqual(p.wait(30 * harness.PATIENCE), 0)
        p.stderr.close()

    def test_closed_pipe(self):
        r, w = os.pipe()
        os.close(r)
        p = self.drop(None, stdout=w, code=None)
        os.close(w)
        self.assertEqual(p.returncode, os.EX_IOERR)     # taken, but nobody knows; the token makes a retry harmless
        self.only_file()

    # -- forged submissions

    def test_forged(self):
        whole = submission()
        bad = {
            "nothing": b"", "rubbish": b"GET / HTTP/1.0\r\n\r\n", "cut": whole[:-1], "no end": whole[:-13],
            "trailing": whole + b"x", "twice": whole + whole,
            "two senders": submission(extra=record("S", b"root@example.com")),
            "unknown record": submission(extra=record("A", b"uid=0")),
            "newline": submission(recipients=[b"a\nb@example.com"]), "nul": submission(sender=b"a\0b"),
            "cr in body": submission(b"a: b\n\nx\r\n"), "nul in body": submission(b"a: b\n\nx\0\n"),
            "no last newline": submission(b"a: b\n\nx"), "no recipient": submission(recipients=[]),
            "wrong size": submission(announced=5), "wrong header": submission(head=5),
            "huge record": whole[:8] + b"K\xff\xff\xff\xff" + b"x" * 1000,
            "a file of incoming": b"OUTDROP1" + struct.pack(">IQ", 0, 0) + whole,
        }
        for name, data in bad.items():
            with self.subTest(name):
                p = self.drop(data, code=None)
                self.assertEqual(p.returncode, os.EX_DATAERR, (name, p.text))
                self.assertRegex(p.text, r"^65 5\.\d\.\d [ -~]+\n$")
                self.assertEqual(self.files(), [])
        self.assertFalse(os.path.exists(self.report))

    # -- where the rights are missing or wrong

    def test_without_set_id(self):
        p = self.drop(None, prog=self.place + "/plain", code=os.EX_TEMPFAIL)
        self.assertIn("without its set-id rights", p.text)
        p = self.spawn()
        p.communicate(b"")
        done = subprocess.run(["setpriv", "--no-new-privs", "--reuid", str(CALLER), "--regid", str(CALLER),
                               "--clear-groups", self.built], input=submission(), stdout=subprocess.PIPE)
        self.assertEqual(done.returncode, os.EX_TEMPFAIL)
        self.assertIn(b"NoNewPrivileges", done.stdout)
        self.assertEqual(self.files(), [])

    def test_a_queue_of_another(self):
        """Not the set-id bits are to blame when the directory changed hands."""
        os.chown(self.spool, 0, 0)
        p = self.drop(None, code=os.EX_TEMPFAIL)
        self.assertNotIn("set-id rights", p.text)
        self.assertIn("belongs to uid 0; as root type: chown -R %d:%d %s" % (OWNER, OWNER, self.spool), p.text)

    def test_root_becomes_the_owner(self):
        for prog in (self.built, self.place + "/plain"):
            shutil.rmtree(self.spool + "/incoming", ignore_errors=True)
            if os.path.exists(self.report):
                os.unlink(self.report)
            self.drop(None, prog=prog, uid=0, groups=[0, 4, 27])
            got = self.once()
            self.assertEqual(got["ids"], "(%d, %d, %d) (%d, %d, %d)" % ((OWNER,) * 6))
            self.assertEqual(got["groups"], "[%d]" % OWNER)
            self.assertEqual(os.stat(self.only_file()).st_uid, OWNER)
            self.assertEqual(struct.unpack(">I", self.content()[8:12]), (0,))

    def test_strange_directories(self):
        os.symlink("/tmp", self.spool + "/incoming")
        self.drop(None, code=os.EX_TEMPFAIL)
        os.unlink(self.spool + "/incoming")
        os.mkdir(self.spool + "/incoming", 0o777)
        self.drop(None, code=os.EX_TEMPFAIL)        # root's
        os.rmdir(self.spool + "/incoming")
        os.chown(self.spool, CALLER, CALLER)
        self.drop(None, code=os.EX_TEMPFAIL)
        shutil.rmtree(self.spool)
        p = self.drop(None, code=None)
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("No such file", p.text)

    def test_without_proc_and_tmpfile(self):
        """The fallback: a name nobody takes for a message, then rename."""
        script = "umount -l /proc 2>/dev/null; exec setpriv --reuid %d --regid %d --clear-groups %s" % (
            CALLER, CALLER, self.built)
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], input=submission(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        if done.returncode and b"unshare" in done.stderr:
            self.skipTest("no mount namespace can be made here")
        self.assertEqual(done.returncode, 0, (done.stdout, done.stderr))
        self.only_file()
        self.assertEqual(os.stat(self.only_file()).st_nlink, 1)

    # -- a queue of one's own

    def own_dir(self):
        path = self.place + "/own"
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path, 0o755)
        os.chown(path, CALLER, CALLER)
        return path

    def test_own_queue(self):
        own = self.own_dir()
        self.drop(None, "-q", own + "/queue", "-C", own)
        st = os.stat(self.only_file(own + "/queue"))
        self.assertEqual((st.st_uid, st.st_gid), (CALLER, CALLER))
        self.assertEqual(stat.S_IMODE(os.stat(own + "/queue").st_mode), 0o700)
        got = self.once()
        self.assertEqual(got["args"], "-C %s --once" % own)
        self.assertEqual(got["ids"], "(%d, %d, %d) (%d, %d, %d)" % ((CALLER,) * 6))
        self.assertEqual(self.files(), [])

    def test_own_queue_gives_rights_up_first(self):
        """Before standard input is read, and before a directory is named: none of the owner's can be reached."""
        own = self.own_dir()
        p = self.spawn("-q", own + "/queue")
        self.wait_own_ids(p.pid, CALLER)
        out, _ = p.communicate(submission(), timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0, out)
        p = self.drop(None, "-q", self.spool, code=None)
        self.assertIn(p.returncode, (os.EX_NOPERM, os.EX_TEMPFAIL), p.text)
        self.assertEqual(self.files(), [])
        os.mkdir(self.place + "/secret", 0o700)
        os.chown(self.place + "/secret", OWNER, OWNER)
        try:
            p = self.drop(None, "-q", self.place + "/secret/queue", code=None)
            self.assertIn(p.returncode, (os.EX_NOPERM, os.EX_TEMPFAIL), p.text)
            self.assertEqual(os.listdir(self.place + "/secret"), [])
        finally:
            os.rmdir(self.place + "/secret")


if __name__ == "__main__":
    harness.main()
