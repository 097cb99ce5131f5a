"""incoming/: what the drop took is taken in once, whatever lies beside it; what can't be taken goes to corrupt/."""
import fcntl
import os
import random
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import unittest

import harness
from test_drop import submission


class Incoming(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-drop")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        self.configure(self.relay)
        self.incoming = os.path.join(self.queue_dir, "incoming")
        self.began = int(time.time() * 1e6)

    def drop(self, subject, body="body", token=None):
        data = submission(b"From: s@example.com\nSubject: %s\n\n%s\n" % (subject.encode(), body.encode()),
                          recipients=[subject.encode() + b"@example.net"], token=token)
        done = subprocess.run([harness.program("outpost-drop"), "-q", self.queue_dir], input=data,
                              stdout=subprocess.PIPE, env=self.environ(), check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return os.path.join(self.queue_dir, done.stdout.split()[5].decode())

    def subjects(self):
        return sorted(m.header("Subject") for m in self.relay.messages())

    def test_backlog(self):
        for i in range(150):
            self.drop("m%d" % i)
        self.start_outpostd()
        self.relay.wait_messages(150)
        self.assertEqual(self.subjects(), sorted("m%d" % i for i in range(150)))
        harness.wait_for("incoming to be empty", lambda: not os.listdir(self.incoming))

    def test_in_the_order_of_arrival(self):
        self.configure(self.relay, smtp_destination_concurrency_limit="1")
        for i in range(100):
            self.drop("m%d" % i)
        self.start_outpostd()
        messages = self.relay.wait_messages(100)
        self.assertEqual([m.header("Subject") for m in messages], ["m%d" % i for i in range(100)])

    def test_one_that_the_database_refuses(self):
        """It stays, and is told of; the others of its transaction are taken in all the same."""
        self.start_outpostd().stop()
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        base.execute("CREATE TRIGGER refuse BEFORE INSERT ON recipient WHEN new.address LIKE 'poison@%' "
                     "BEGIN SELECT RAISE(ABORT, 'no room for poison'); END")
        base.commit()
        base.close()
        for subject in ("one", "poison", "two"):
            self.drop(subject)
        self.start_outpostd()
        self.relay.wait_messages(2)
        self.assertEqual(self.subjects(), ["one", "two"])
        harness.wait_for("the others to be taken out", lambda: len(os.listdir(self.incoming)) == 1)
        self.wait_log("stays for now: .*no room for poison")

    def put(self, n, uid=0, recipient=None):
        """A file as outpost-drop writes it, the n-th to arrive."""
        arrival, digits = self.began + n, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
        name = "".join(digits[arrival >> 5 * i & 31] for i in range(10, -1, -1)) + "".join(random.choices(digits, k=13))
        data = b"OUTDROP1" + struct.pack(">IQ", uid, arrival) + submission(
            b"From: s@example.com\n\nx\n", recipients=[(recipient or "r%d@example.net" % n).encode()], token=None)
        path = os.path.join(self.incoming, name)
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.rename(path + ".new", path + ".msg")

    def test_more_than_fit_into_one_look(self):
        """The order is kept, in little memory, whatever the directory's own."""
        many = 4300
        os.makedirs(self.incoming)
        for n in random.sample(range(many), many):
            self.put(n)
        taker = subprocess.Popen([harness.program("outpostd"), "-C", self.conf, "-f", "--take-in"], env=self.environ())
        _, status, usage = os.wait4(taker.pid, 0)
        taker.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(taker.returncode, 0)
        self.assertEqual(os.listdir(self.incoming), [])
        self.assertEqual([r for r, in self.rows("SELECT address FROM recipient ORDER BY message")],
                         ["r%d@example.net" % n for n in range(many)])
        if not harness.ASAN:
            self.assertLess(usage.ru_maxrss, 32 * 1024)

    def test_listing_while_a_flusher_starts(self):
        """It has the lock and does not answer yet: the listing waits for what it takes in, and is never empty in vain."""
        self.start_outpostd().stop()
        self.drop("early")
        with open(os.path.join(self.queue_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            listing = subprocess.Popen([harness.program("outpost"), "-C", self.conf, "queue"], env=self.environ(), stdout=subprocess.PIPE)
            self.wait_log("a flusher is at work")
        self.assertIn("early@example.net", listing.communicate(timeout=20 * harness.PATIENCE)[0].decode())

    def test_listing_while_the_queue_can_not_be_had(self):
        """The listing does not wait for ever, and says what it lacks."""
        self.start_outpostd().stop()
        self.drop("early")
        with open(os.path.join(self.queue_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            listed = self.outpost("queue")
        self.assertIn("Mail queue is empty", listed.out)
        self.assertIn("outpost: not in this list: 1 in incoming/, to be taken in as soon as outpostd answers\n", listed.err)
        self.assertFalse(self.log_lines("error: "))

    def test_flusher_that_finds_somebody_at_the_queue(self):
        """Who has the queue and serves nobody may be past looking into incoming/: the flusher that was started for a message waits
        for him, or nobody would send it."""
        self.sendmail("-odq", "later@example.net")
        self.outpost("queue")
        with open(os.path.join(self.queue_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.sendmail("you@example.net")
            self.assertEqual(len(os.listdir(self.incoming)), 1)
            time.sleep(0.5)
        message, = self.relay.wait_messages(1)
        self.assertEqual(message.recipients, ["you@example.net"])

    def test_authorized_submit_users(self):
        """outpost-drop reads no configuration: what it took from others is set aside, and sendmail says so before."""
        self.drop("forged")
        self.configure(self.relay, authorized_submit_users="nobody")
        done = self.sendmail("you@example.net", code=77)
        self.assertEqual(done.err, "sendmail: authorized_submit_users does not name you\n")
        self.start_outpostd()
        self.wait_log("cannot be taken in, moved to corrupt/: authorized_submit_users does not name uid %d" % os.getuid())
        self.assertEqual(len(os.listdir(os.path.join(self.queue_dir, "corrupt"))), 1)
        self.assertIn("set aside", self.outpost("status", code=None).out)
        self.assertEqual(self.rows("SELECT count(*) FROM message"), [(0,)])

    def test_corrupt_has_a_ceiling(self):
        """Who may not submit can run outpost-drop all the same, as often as he likes: the first thousand are kept."""
        corrupt = os.path.join(self.queue_dir, "corrupt")
        os.makedirs(self.incoming)
        os.makedirs(corrupt)
        for n in range(998):
            with open(os.path.join(corrupt, "before%d" % n), "w"):
                pass
        self.configure(self.relay, authorized_submit_users="root")
        for n in range(70):
            self.put(n, uid=4711)
        bad = os.path.join(self.incoming, "M" * 24 + ".msg")        # nobody's fault but the disk's: never removed
        with open(bad, "wb") as f:
            f.write(b"OUTDROP1" + bytes(60))
        self.put(100)
        self.start_outpostd()
        self.relay.wait_messages(1)
        harness.wait_for("the others to be taken out", lambda: not os.listdir(self.incoming))
        kept = os.listdir(corrupt)
        self.assertEqual(len(kept), 1001)
        self.assertEqual(len([name for name in kept if name.startswith("before")]), 998)
        self.assertIn(os.path.basename(bad), kept)
        self.assertEqual(len(self.log_lines("corrupt/ is full")), 1)
        self.assertEqual(len(self.log_lines("moved to corrupt/")), 3)

    def test_corrupt_has_a_ceiling_of_bytes(self):
        corrupt = os.path.join(self.queue_dir, "corrupt")
        os.makedirs(self.incoming)
        os.makedirs(corrupt)
        with open(os.path.join(corrupt, "before"), "wb") as f:
            f.truncate(64 << 20)
        self.configure(self.relay, authorized_submit_users="root")
        self.put(1, uid=4711)
        self.start_outpostd()
        self.wait_log("corrupt/ is full")
        harness.wait_for("its end", lambda: not os.listdir(self.incoming))
        self.assertEqual(os.listdir(corrupt), ["before"])

    @unittest.skipIf(harness.ASAN, "nothing can be preloaded before the sanitizers")
    def test_user_database_that_does_not_answer(self):
        """No answer is no refusal: what was acknowledged waits for one, and who submits is asked to try again."""
        library, down = os.path.join(self.tmp, "slowusers.so"), os.path.join(self.tmp, "down")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "slowusers.c")], check=True)
        env = {"LD_PRELOAD": library, "OUTPOST_DOWN": down}
        self.configure(self.relay, authorized_submit_users="root, daemon")
        self.drop("waits")
        open(down, "w").close()
        words = "sendmail: your name cannot be looked up for authorized_submit_users\n"
        self.assertEqual(self.sendmail("you@example.net", code=75, env=env).err, words)
        self.start_outpostd(env=env)
        self.wait_log("stays for now: uid %d cannot be looked up" % os.getuid())
        self.assertEqual(self.sendmail("you@example.net", code=75).err, words)
        os.unlink(down)
        self.assertEqual(self.relay.wait_messages(1, timeout=40)[0].sender, "s@example.com")

    @unittest.skipIf(harness.ASAN, "nothing can be preloaded before the sanitizers")
    def test_user_database_that_is_silent(self):
        """Not even to say that it can't answer: mail is taken all the same, by way of the door and of the drop."""
        library, asked, may = (os.path.join(self.tmp, name) for name in ("slowusers.so", "asked", "may"))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "slowusers.c")], check=True)
        for fifo in (asked, may):
            os.mkfifo(fifo)
        questions, never = os.open(asked, os.O_RDWR | os.O_NONBLOCK), os.open(may, os.O_RDWR)
        self.drop("dropped")
        service = self.start_outpostd(env={"LD_PRELOAD": library, "OUTPOST_ASKED": asked, "OUTPOST_MAY": may})
        self.wait_log("user database does not say who uid %d is" % os.getuid())
        for _ in range(3):
            self.sendmail("you@example.net")
        self.relay.wait_messages(4)
        self.assertEqual(self.rows("SELECT DISTINCT text FROM word WHERE text LIKE '#%'"), [("#%d" % os.getuid(),)])
        self.assertEqual(len(self.log_lines("user database does not say")), 1)
        service.stop()
        os.close(questions)
        os.close(never)

    @unittest.skipIf(harness.ASAN, "nothing can be preloaded before the sanitizers")
    def test_groups_that_can_not_be_had(self):
        """Who a user is was known, and his groups are not: what he was told is taken is not set aside for that."""
        library, down = os.path.join(self.tmp, "slowusers.so"), os.path.join(self.tmp, "down")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "slowusers.c")], check=True)
        self.configure(self.relay, authorized_submit_users="%root")
        with open(down, "w") as f:
            f.write("1")
        self.drop("waits")
        self.start_outpostd(env={"LD_PRELOAD": library, "OUTPOST_DOWN": down})
        self.wait_log("stays for now: uid %d cannot be looked up" % os.getuid())
        os.unlink(down)
        self.relay.wait_messages(1, timeout=40)

    @unittest.skipIf(harness.ASAN, "nothing can be preloaded before the sanitizers")
    def test_groups_that_nobody_hears_of(self):
        """Who they are is asked for in vain: outpostd is there for others, and says so."""
        library, none = os.path.join(self.tmp, "slowusers.so"), os.path.join(self.tmp, "none")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "slowusers.c")], check=True)
        self.configure(self.relay, authorized_submit_users="%root")
        open(none, "w").close()
        self.drop("waits")
        self.start_outpostd(env={"LD_PRELOAD": library, "OUTPOST_NO_GROUPS": none})
        self.wait_log("stays for now: uid %d cannot be looked up" % os.getuid())
        self.assertEqual(self.sendmail("you@example.net", code=75).err,
                         "sendmail: your name cannot be looked up for authorized_submit_users\n")
        self.assertEqual(len(self.log_lines("user database does not say which group root is")), 1)
        os.unlink(none)
        self.relay.wait_messages(1, timeout=40)
        self.sendmail("you@example.net")
        self.relay.wait_messages(2)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for a group that its user does not have")
    def test_group_of_the_process_alone(self):
        """Who takes the file in knows the user's groups only: the drop is not begun, rather than set aside unseen."""
        with open("/etc/group") as f:
            others = [line.split(":")[0] for line in f if not line.startswith("root:") and "root" not in line.split(":")[3]]
        self.configure(self.relay, authorized_submit_users="%" + others[0])
        script = 'import grp, os, sys; os.setgroups([grp.getgrnam(sys.argv[1]).gr_gid]); os.execv(sys.argv[2], sys.argv[2:])'
        done = subprocess.run([sys.executable, "-c", script, others[0], harness.program("sendmail"), "-C", self.conf, "you@example.net"],
                              input=b"x\n", stderr=subprocess.PIPE, env=self.environ(), timeout=30 * harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (77, b"sendmail: authorized_submit_users does not name you\n"))

    @unittest.skipIf(harness.ASAN, "nothing can be preloaded before the sanitizers")
    def test_slow_user_database(self):
        """Whoever else writes to the queue does not wait for it, and it is asked once for a user, not for each message."""
        library, asked, may = (os.path.join(self.tmp, name) for name in ("slowusers.so", "asked", "may"))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "slowusers.c")], check=True)
        os.makedirs(self.incoming)
        for n in range(6):
            self.put(n, uid=(0, 65534, 65533)[n % 3])
        for fifo in (asked, may):
            os.mkfifo(fifo)
        questions, go = os.open(asked, os.O_RDWR | os.O_NONBLOCK), os.open(may, os.O_RDWR)
        uids, held = [], []

        def answer():
            try:
                uids.append(int(os.read(questions, 100)))
            except BlockingIOError:
                return
            base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"), timeout=0.1)
            try:
                base.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as e:
                held.append("%s while uid %d is looked up" % (e, uids[-1]))
            base.close()
            os.write(go, b"x")

        def answered_until(what, predicate):
            harness.wait_for(what, lambda: (answer(), predicate())[1])
        self.start_outpostd(env={"LD_PRELOAD": library, "OUTPOST_ASKED": asked, "OUTPOST_MAY": may}, wait=False)
        answered_until("what was left", lambda: self.relay.count() == 6)
        answered_until("the door", self.door_answers)
        self.assertEqual(sorted(uids), [0, 65533, 65534])
        clients = [subprocess.Popen([harness.program("sendmail"), "-C", self.conf, "-f", "s@example.com", "you@example.net"],
                                    stdin=subprocess.DEVNULL, env=self.environ()) for _ in range(4)]
        answered_until("the submissions", lambda: all(c.poll() is not None for c in clients))
        self.assertEqual([c.returncode for c in clients], [0] * 4)
        self.assertEqual(held, [])
        self.assertEqual(len(uids), 3, "asked again: %s" % uids)
        self.relay.wait_messages(10)
        self.assertIn("root", self.rows("SELECT text FROM word WHERE text = 'root'")[0])
        os.close(questions)
        os.close(go)

    def test_while_it_runs(self):
        self.start_outpostd()
        self.drop("late")
        self.relay.wait_messages(1)
        self.wait_log(r"outpost/pickup\[\d+\]: [0-9A-F]+: uid=\d+ from=<s@example.com>")

    def test_removed_while_it_runs(self):
        """outpost-drop makes another, and what comes into that is seen."""
        self.start_outpostd()
        self.wait_log("version")        # the door answers before that
        for move in (False, True):
            if move:
                os.rename(self.incoming, self.incoming + ".old")
            else:
                os.rmdir(self.incoming)
            self.drop("m%d" % move)
            self.relay.wait_messages(1 + move)

    def guest(self):
        """Somebody at the door who says nothing, where there is one."""
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(os.path.join(self.queue_dir, "door"))
            return s
        except OSError:
            s.close()
            return None

    def test_another_life(self):
        """What comes while a flusher of one errand leaves finds nobody to wake, so it begins again: with no more descriptors than before."""
        self.drop("early")
        self.relay.signal(signal.SIGSTOP)   # so that it can't leave before somebody is connected
        service = self.start(harness.program("outpostd"), "-C", self.conf, "-f", "--once", log=os.path.join(self.tmp, "outpostd.log"))
        guest = harness.wait_for("the door", self.guest)
        self.relay.signal(signal.SIGCONT)
        self.relay.wait_messages(1)
        self.wait_log(": removed")

        def descriptors():
            return sorted(path.split(":")[-1] for path in harness.open_files(service.pid) if "anon_inode" in path)
        before = descriptors()
        agent, = harness.children(service.pid)
        os.kill(agent, signal.SIGSTOP)      # it is waited for, a second long
        admin = os.path.join(self.queue_dir, "admin")
        guest.close()
        harness.wait_for("it to leave", lambda: not os.path.exists(admin))
        service.signal(signal.SIGSTOP)
        self.drop("late")
        service.signal(signal.SIGCONT)
        self.wait_log("version", 2)
        self.relay.wait_messages(2)
        self.assertEqual(descriptors(), before)
        self.assertEqual(service.wait(20), 0)

    def test_what_a_killed_drop_left(self):
        """Where there is no O_TMPFILE a file has a name while it is written. After a day nobody writes it any more."""
        os.makedirs(self.incoming)
        now = time.time()
        ages = {"A" * 24 + ".tmp": 25, "B" * 24 + ".tmp": 23, "C" * 23 + ".tmp": 25, "notes": 25, "D" * 24 + ".tmp": -25}
        for name, hours in ages.items():
            with open(os.path.join(self.incoming, name), "w") as f:
                f.write("OUTDROP1")
            os.utime(os.path.join(self.incoming, name), (now - hours * 3600,) * 2)
        self.assertNotIn("incoming", self.outpost("status", code=None).out)
        self.start_outpostd()
        self.drop("m")
        self.relay.wait_messages(1)
        self.assertEqual(sorted(os.listdir(self.incoming)), sorted(set(ages) - {"A" * 24 + ".tmp"}))
        self.assertEqual(len(self.log_lines("A{24}.tmp.*removed")), 1)

    def test_one_that_can_not_be_removed(self):
        """It is taken in once, and nobody goes round in circles over it."""
        path = self.drop("stuck")
        if subprocess.run(["chattr", "+i", path], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("nothing can be made immutable here")
        self.addCleanup(subprocess.run, ["chattr", "-i", path], check=True)
        self.start(harness.program("outpostd"), "-C", self.conf, "-f", "--once").wait(20)
        self.assertEqual(self.relay.count(), 1)
        self.assertEqual(len(self.log_lines("cannot remove")), 1)

    def test_one_that_took_long_is_not_overlooked(self):
        """It came before what was sent meanwhile, by the time that outpost-drop wrote down, and is there later."""
        self.configure(self.relay, agent_idle_time="3600s")
        self.start_outpostd()
        data = submission(b"From: s@example.com\nSubject: slow\n\nslow\n", recipients=[b"slow@example.net"])
        with subprocess.Popen([harness.program("outpost-drop"), "-q", self.queue_dir], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=self.environ()) as slow:
            slow.stdin.write(data[:50])
            slow.stdin.flush()
            harness.wait_for("it to have begun", lambda: any(self.incoming in path and "(deleted)" in path
                                                             for path in harness.open_files(slow.pid)))
            self.sendmail("fast@example.net", input=b"Subject: fast\n\nfast\n")
            self.relay.wait_messages(1)
            slow.communicate(data[50:])
            self.assertEqual(slow.returncode, 0)
        self.relay.wait_messages(2)

    def test_what_can_not_be_had_now_is_had_later(self):
        """Without descriptors for a moment, and nobody who says when that is over."""
        service = self.start_outpostd()
        limit = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)

        def first_free():
            there = set(map(int, os.listdir("/proc/%d/fd" % service.pid)))
            return next(n for n in range(1024) if n not in there)

        def has_no_room():
            """There may be gaps, and who looked whether the door is open may not be gone yet."""
            most = first_free()
            resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (most, limit[1]))
            time.sleep(0.3)
            return first_free() == most
        harness.wait_for("its descriptors to settle", has_no_room)
        self.drop("patient")
        self.wait_log("incoming/.*stays for now")
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, limit)
        self.relay.wait_messages(1, timeout=40)

    def test_same_file_twice(self):
        """A crash between commit and unlink leaves the file; so does somebody who restores a backup."""
        path = self.drop("once")
        with open(path, "rb") as f:
            data = f.read()
        self.start_outpostd()
        self.relay.wait_messages(1)
        harness.wait_for("the file to go", lambda: not os.path.exists(path))
        for name in ("A" * 24, "B" * 24):
            with open(os.path.join(self.incoming, name + ".new"), "wb") as f:
                f.write(data)
            os.rename(f.name, os.path.join(self.incoming, name + ".msg"))
        harness.wait_for("the files to go", lambda: not os.listdir(self.incoming))
        self.drop("last")
        self.relay.wait_messages(2)
        self.assertEqual(self.subjects(), ["last", "once"])

    def test_rubbish_stops_nobody(self):
        good = self.drop("good")
        with open(good, "rb") as f:
            data = f.read()
        bad = {"empty": b"", "head only": data[:20], "cut": data[:-1], "longer": data + b"x", "other magic": b"X" + data[1:],
               "no submission": data[:20] + b"rubbish", "twice": data + data,
               "nul": data.replace(b"good@", b"go\0d@")}
        for n, content in enumerate(bad.values()):
            with open(os.path.join(self.incoming, "C" * 23 + "ABCDEFGH"[n] + ".msg"), "wb") as f:
                f.write(content)
        for name in ("D" * 24 + ".tmp", "README", ".hidden"):
            with open(os.path.join(self.incoming, name), "wb") as f:
                f.write(data)
        os.mkdir(os.path.join(self.incoming, "E" * 24 + ".msg"))
        os.symlink("/etc/passwd", os.path.join(self.incoming, "F" * 24 + ".msg"))
        os.mkfifo(os.path.join(self.incoming, "G" * 24 + ".msg"))
        self.start_outpostd()
        self.relay.wait_messages(1)
        corrupt = os.path.join(self.queue_dir, "corrupt")
        harness.wait_for("the bad ones to be set aside", lambda: len(os.listdir(corrupt)) >= len(bad))
        self.assertEqual(self.subjects(), ["good"])
        self.drop("later")
        self.relay.wait_messages(2)
        done = self.outpost("status", code=None)
        self.assertIn("set aside", done.out)

    def test_rubbish_that_can_not_be_moved(self):
        """A flusher of one errand begins no other life for it; what is good is sent."""
        self.drop("good")
        with open(os.path.join(self.incoming, "C" * 24 + ".msg"), "wb") as f:
            f.write(b"rubbish")
        os.symlink("/etc/passwd", os.path.join(self.incoming, "F" * 24 + ".msg"))
        with open(os.path.join(self.queue_dir, "corrupt"), "w"):
            pass        # a file, where there should be a directory
        service = self.start(harness.program("outpostd"), "-C", self.conf, "-f", "--once", log=os.path.join(self.tmp, "outpostd.log"))
        self.relay.wait_messages(1)
        self.assertEqual(service.wait(), 0)
        self.assertEqual(len(self.log_lines("version ")), 1)
        self.assertTrue(self.log_lines("stays for now: .*cannot be moved to corrupt/: "))
        self.assertEqual(len(os.listdir(self.incoming)), 2)

    def test_taken_is_taken(self):
        """What nobody can send was acknowledged all the same: its sender is told, and it does not rest in corrupt/."""
        self.start_outpostd()
        data = submission(b"From: s@example.com\nSubject: odd\n\nodd\n", sender=b"me@example.com",
                          recipients=[b"o\1dd@example.net", b"even@example.net"])
        done = subprocess.run([harness.program("outpost-drop"), "-q", self.queue_dir], input=data, stdout=subprocess.PIPE,
                              env=self.environ(), check=True)
        self.assertIn(b"queued as", done.stdout)
        bounce, = self.relay.wait_messages(1)
        self.assertEqual((bounce.sender, bounce.recipients), ("", ["me@example.com"]))
        self.assertIn(b"is no mail address", bounce.data)
        harness.wait_for("an empty incoming/", lambda: not os.listdir(self.incoming))
        self.assertEqual(os.listdir(os.path.join(self.queue_dir, "corrupt")), [])
        self.wait_queue_empty()

    def test_limit_lowered_since(self):
        self.drop("large", body="x" * 70 + "\n" + ("y" * 70 + "\n") * 3000)
        self.configure(self.relay, message_size_limit="100000")
        self.start_outpostd()
        message, = self.relay.wait_messages(1)
        self.assertGreater(len(message.body), 200000)

    def test_uid_is_the_callers(self):
        path = self.drop("mine")
        with open(path, "rb") as f:
            self.assertEqual(struct.unpack(">I", f.read()[8:12]), (os.getuid(),))


if __name__ == "__main__":
    harness.main()
