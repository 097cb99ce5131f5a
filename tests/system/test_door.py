"""The door: who may submit what and how much, and that nobody who is slow, hostile or many delays another."""
import array
import fcntl
import os
import resource
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import unittest

import harness
from flusher_case import CONTROL_MAGIC, Flusher, NOBODY, record, submission


class Door(Flusher):
    def test_submission_and_its_repetition(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        token = os.urandom(16)
        first, second = self.submit(token=token), self.submit(token=token)
        self.assertRegex(first, r"^0 2\.0\.0 ok queued as [0-9A-Z]+\n$")
        self.assertEqual(first, second)
        relay.wait_messages(1)
        self.wait_queue_empty()
        self.assertEqual(relay.count(), 1)

    def test_others_addresses_are_not_shown(self):
        """Nor in the relay's words, which quote them."""
        self.configure(self.start_relay(dialogue='when rcpt do reply "450 4.2.0 <hidden@example.net>: hidden is full"\n'))
        self.start_outpostd()
        self.assertRegex(self.submit(sender="secret@example.com", recipients=("hidden@example.net",)), "^0 ")
        self.wait_log("status=deferred")
        for question in (b"mailq\n", b"mailq json\n"):
            text, _ = self.submit_as(NOBODY, data=CONTROL_MAGIC + question)
            self.assertIn("(not shown)", text)
            self.assertNotRegex(text, "hidden|secret")
        self.assertIn("hidden is full", self.mailq().out)
        self.assertEqual(*(self.submit_as(NOBODY, data=CONTROL_MAGIC + b"wake R %s\n" % text)[0] for text in (b"hidden", b"other")))

    def test_one_that_the_database_refuses(self):
        """The others of its transaction do not hear of it."""
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd()
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        base.execute("CREATE TRIGGER refuse BEFORE INSERT ON recipient WHEN new.address LIKE 'poison@%' "
                     "BEGIN SELECT RAISE(ABORT, 'no room for poison'); END")
        base.commit()
        base.close()
        service.signal(signal.SIGSTOP)      # so that they come as one group
        asked = [self.knock(submission(recipients=(who + "@example.net",))) for who in ("a", "poison", "b")]
        service.signal(signal.SIGCONT)
        answers = [self.answer(s) for s in asked]
        for s in asked:
            s.close()
        self.assertRegex(answers[0], "^0 ")
        self.assertRegex(answers[1], "^[1-9].*no room for poison")
        self.assertRegex(answers[2], "^0 ")
        relay.wait_messages(2)

    def test_refused(self):
        self.configure(self.start_relay())
        self.start_outpostd()
        good = submission()
        for data in (good + b"x", b"OUTPOST1" + record(b"Y"), b"HELO me here\r\n",
                     submission(sender="a\nb"), submission(recipients=("a\0b",)), submission(recipients=())):
            s = self.knock(data)
            self.assertRegex(self.answer(s), r"^(6\d|76) 5\.", data)
            s.close()
        self.wait_queue_empty()

    def test_who_dies_midway_submits_nothing(self):
        self.configure(self.start_relay())
        self.start_outpostd()
        good = submission(body=b"Subject: x\n\n" + b"line\n" * 12000)
        for n in (1, 7, 8, 20, 60, len(good) // 2, len(good) - 1):
            self.knock(good[:n]).close()
        self.assertRegex(self.submit(), "^0 ")
        self.wait_log("pickup.*from=", 1)
        self.assertEqual(len(self.log_lines("pickup.*from=")), 1)

    def test_who_stalls_delays_nobody(self):
        self.configure(self.start_relay())
        self.start_outpostd()
        stalled = [self.knock(submission()[:i % 60]) for i in range(1, 31)]
        self.assertRegex(self.submit_as(NOBODY)[0], "^0 ")
        self.assertEqual(select.select(stalled, [], [], 0)[0], [], "it waited for an end of these")
        stalled += [self.knock(submission()[:i % 60]) for i in range(300)]
        self.assertRegex(self.submit_as(NOBODY)[0], "^0 ")
        # His own next one gets in as well, once the stalled ones have had their time.
        self.assertRegex(self.submit(), "^0 ")
        for s in stalled:
            s.close()

    def test_ten_thousand_connections(self):
        self.configure(self.start_relay())
        service = self.start_outpostd()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 10100:
            self.skipTest("not allowed to open 10,000 connections")
        flood = subprocess.Popen([sys.executable, "-c", """if 1:
            import os, resource, socket, sys
            resource.setrlimit(resource.RLIMIT_NOFILE, (10100, %d))
            os.setgroups([]); os.setgid(%d); os.setuid(%d)
            held = []
            for i in range(10000):
                s = socket.socket(socket.AF_UNIX)
                try:
                    s.setblocking(False)
                    s.connect(%r)
                except OSError:
                    pass
                held.append(s)
                if i == 5000:
                    print("half", flush=True)
            print("all", flush=True)
            sys.stdin.read()
        """ % (hard, NOBODY, NOBODY, self.door)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            for word in (b"half\n", b"all\n"):
                self.assertEqual(flood.stdout.readline(), word)
                begin = time.monotonic()
                self.assertRegex(self.submit(), "^0 ")
                self.assertLess(time.monotonic() - begin, 15 * harness.PATIENCE)
        finally:
            flood.stdin.close()
            flood.wait()
            flood.stdout.close()
        self.assertTrue(service.alive())
        self.assertRegex(self.submit(), "^0 ")

    def test_a_users_share_of_the_door(self):
        """So many of his are served at a time, and never more than half of all; his next one waits until one of them is ended."""
        for limits in ({"door_connection_limit_per_user": "3"}, {"door_connection_limit": "6"}):
            with self.subTest(limits):
                self.configure(relayhost="[localhost]:%d" % harness.free_port(), **limits)
                service = self.start_outpostd()
                stalled = [self.knock(submission()[:20]) for _ in range(3)]
                self.assertRegex(self.submit_as(NOBODY)[0], "^0 ")
                self.assertEqual(select.select(stalled, [], [], 0)[0], [], "another user's place was his")
                fourth = self.knock(submission())
                self.assertRegex(self.answer(fourth), "^0 ")
                self.assertTrue(select.select(stalled, [], [], 0)[0], "more of his were served than he may have")
                for s in (*stalled, fourth):
                    s.close()
                service.stop()

    def test_who_finds_no_place_is_told(self):
        """Three are served, a quarter of what it may open waits, and the next one hears that he may try again."""
        self.configure(relayhost="[localhost]:%d" % harness.free_port(), door_connection_limit_per_user="3")
        service = self.start("/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"', harness.program("outpostd"), "-C", self.conf, "-f",
                             log=os.path.join(self.tmp, "outpostd.log"))
        harness.wait_for("the door", self.door_answers)
        service.signal(signal.SIGSTOP)      # so that they come together
        crowd = [self.knock(submission()[:20]) for _ in range(3 + 64 // 4 + 1)]
        service.signal(signal.SIGCONT)
        self.assertEqual(self.answer(crowd[-1]), "75 4.3.2 limit too many submissions of this user at a time; try again\n")
        self.assertRegex(self.submit_as(NOBODY)[0], "^0 ")
        for s in crowd:
            s.close()

    def test_a_users_bytes_at_the_door(self):
        """Two unfinished ones are together more than he may have: one is refused, the other, and another user's, go on."""
        self.configure(relayhost="[localhost]:%d" % harness.free_port(), door_byte_limit_per_user="150000")
        self.start_outpostd()
        body = b"Subject: x\n\n" + b"line\n" * 20000
        whole = submission(body=body)
        both = [self.knock(), self.knock()]
        for s in both:
            try:
                s.sendall(whole[:-1])
            except BrokenPipeError:     # it is the one
                pass
        refused, = select.select(both, [], [], 20)[0]
        self.assertEqual(self.answer(refused), "75 4.3.2 limit too many bytes of this user at a time (door_byte_limit_per_user)\n")
        both.remove(refused)
        self.assertRegex(self.submit_as(NOBODY, body=body + b"line\n" * 9000)[0], "^0 ")
        both[0].sendall(whole[-1:])
        self.assertRegex(self.answer(both[0]), "^0 ")
        refused.close()
        both[0].close()

    def test_a_submission_that_never_ends(self):
        """It does not stall, there is always another byte; the whole of it has its time, too."""
        self.configure(relayhost="[localhost]:%d" % harness.free_port(), door_time_limit="1s")
        self.start_outpostd()
        good = submission()
        s = self.knock(good[:good.index(record(b"M", b"Subject: x\n\nx\n"))] + b"M" + struct.pack(">I", 65536))

        def ended():
            try:
                return s.send(b"x") and False
            except (BrokenPipeError, ConnectionResetError):
                return True
        harness.wait_for("its end", ended, 20)
        s.close()

    def test_groups_of_who_knocks(self):
        """Those of his process, as the kernel knows them, and not only of his name."""
        if os.geteuid() != 0:
            self.skipTest("needs root, for a group that its user does not have")
        with open("/etc/group") as f:
            other = [line.split(":") for line in f if not line.startswith("root:") and "root" not in line.split(":")[3]][0]
        self.configure(relayhost="[localhost]:%d" % harness.free_port(), authorized_submit_users="%" + other[0])
        self.start_outpostd()
        self.assertIn("does not name you", self.sendmail("you@example.net", code=77).err)
        self.sendmail("you@example.net", extra_groups=[int(other[2])])

    def test_who_may_submit_counts_at_once(self):
        """And how much: what main.cf says when he comes, not what it said for the one before."""
        relayhost = "[localhost]:%d" % harness.free_port()
        self.configure(relayhost=relayhost, authorized_submit_users="root")
        self.start_outpostd()
        self.assertRegex(self.submit(), "^0 ")
        self.wait_log("is down, its mail waits")    # so nobody but the door looks at main.cf, and that once in 10 ms
        time.sleep(0.02)
        self.configure(relayhost=relayhost, authorized_submit_users="nobody")
        self.assertRegex(self.submit(), "^77 5.7.1 not-authorized authorized_submit_users does not name you")
        time.sleep(0.02)
        self.configure(relayhost=relayhost, message_size_limit="2048")
        self.assertRegex(self.submit(body=b"Subject: x\n\n" + b"x" * 4000 + b"\n"), "^69 5.3.4 ")

    def many_rows(self, n):
        """A queue of so many messages, none of which is due; nobody may be at it."""
        with open(os.path.join(self.queue_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
            base.execute("PRAGMA synchronous = OFF")
            with base:
                row = base.execute("SELECT id FROM message WHERE state = 'q'").fetchone()[0]
                later = int((time.time() + 86400) * 1e6)
                base.execute("WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < ?) INSERT INTO message "
                             "SELECT id - n, state, ?, uid, user, randomblob(16), sender, envid, ret, body, flags, size, lines, header,"
                             " arrival, chunk, unsent, failed, done FROM message, k WHERE id = ?", (n, later, row))
                base.execute("INSERT INTO recipient (message, n, state, address, notify, attempts, next) "
                             "SELECT id, 1, 'q', 'r@example.net', 0, 0, ? FROM message WHERE id < ?", (later, row))
            base.close()

    def test_a_listing_delays_nobody(self):
        """It is read as fast as it is made, and others have their turn between its pages. So it is with `sendmail -qR`."""
        self.configure(relayhost="[localhost]:%d" % harness.free_port())
        service = self.start_outpostd()
        self.sendmail("-odq", "you@example.net")
        service.stop()
        self.many_rows(60000)
        self.start_outpostd()
        for question in (b"mailq\n", b"wake R nobody\n"):
            # A disk that is busy just then makes the submission slow, too; a listing that has outpostd to itself does it each time.
            self.assertTrue(any(self.answered_meanwhile(question) for _ in range(5)), question)

    def answered_meanwhile(self, question):
        """Whether a submission is answered before this question is."""
        asker, ends = self.knock(CONTROL_MAGIC + question), []
        asker.recv(1)

        def listen():
            while asker.recv(1 << 20):
                pass
            ends.append(time.monotonic())
        listener = threading.Thread(target=listen)
        listener.start()
        self.assertRegex(self.submit(), "^0 ")
        answered = time.monotonic()
        listener.join()
        asker.close()
        return answered < ends[0]

    @unittest.skipIf(harness.ASAN, "too slow for as many messages as it takes")
    def test_a_flush_delays_nobody(self):
        """Not even when it has to pass over all that it has deferred already."""
        self.configure(self.start_relay(dialogue='when rcpt do reply "451 4.2.0 not now"\n'))
        service = self.start_outpostd()
        self.sendmail("-odq", "you@example.net")
        service.stop()
        self.many_rows(25000)
        self.start_outpostd()
        # The machine itself may stop us for a moment; passing over them all at once did it in each flush.
        shares = []
        while not shares or (shares[-1] >= 0.07 and len(shares) < 4):
            shares.append(self.longest_wait_of_a_flush())
        self.assertLess(shares[-1], 0.07, shares)

    def longest_wait_of_a_flush(self):
        """For an answer at the door while all is flushed; its share of the whole time."""
        begin, worst = time.monotonic(), 0.0
        with subprocess.Popen([harness.program("outpost"), "-C", self.conf, "flush"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=self.environ()) as flush:
            while flush.poll() is None:
                asked = time.monotonic()
                s = self.knock(CONTROL_MAGIC + b"nonsense\n")
                self.assertIn("does not know", self.answer(s))
                s.close()
                worst = max(worst, time.monotonic() - asked)
                time.sleep(0.005)
        return worst / (time.monotonic() - begin)

    def test_recipients_without_end_cost_no_memory(self):
        """Many clients that only list recipients: the envelope is in memory, so there is an end to it."""
        self.configure(self.start_relay())
        service = self.start_outpostd()
        begin = b"OUTPOST1" + record(b"K", bytes(16)) + record(b"S")
        many = record(b"R", b"r" * 1000) * 1000
        clients = [self.knock(begin) for _ in range(8)]
        for _ in range(40):
            for s in clients[:]:
                try:
                    s.sendall(many)
                except OSError:         # turned away
                    s.close()
                    clients.remove(s)
        self.assertRegex(self.submit(), "^0 ")
        with open("/proc/%d/status" % service.pid) as f:
            most = next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmHWM"))
        for s in clients:
            s.close()
        self.assertLess(most, 160 * harness.SLOW, "megabytes")

    def refuses_descriptors(self):
        """Whether this kernel has SO_PASSRIGHTS."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.getsockopt(socket.SOL_SOCKET, 83)
                return True
            except OSError:
                return False

    def old_kernel(self):
        """The environment of an outpostd that can't have descriptors refused by the kernel."""
        if harness.ASAN and self.refuses_descriptors():
            self.skipTest("nothing can be preloaded before the sanitizers")
        if harness.ASAN:
            return None
        library = os.path.join(self.tmp, "oldkernel.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "oldkernel.c")], check=True)
        return {"LD_PRELOAD": library}

    def test_descriptors_are_refused_by_the_kernel(self):
        """SO_PASSRIGHTS, from Linux 6.16 on: they do not even leave their sender."""
        if not self.refuses_descriptors():
            self.skipTest("this kernel has no SO_PASSRIGHTS")
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        with self.knock() as s:
            with self.assertRaises(PermissionError), open("/dev/null", "rb") as null:
                s.sendmsg([b"OUTPOST1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()]))])
            s.sendall(submission())
            self.assertRegex(self.answer(s), "^0 ")
        relay.wait_messages(1)
        self.assertFalse(self.log_lines("sent a file descriptor"))

    def test_descriptors_are_not_taken(self):
        """A passed descriptor is dropped by the kernel: not even to close it, which may block, is it ours."""
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd(env=self.old_kernel())

        def held():
            return len(os.listdir("/proc/%d/fd" % service.pid))
        self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(1)      # with an agent for the one, there is one for all
        before = held()
        listener = socket.create_server(("127.0.0.1", 0))
        lingering = socket.create_connection(listener.getsockname())
        lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 20))
        far, _ = listener.accept()
        lingering.setblocking(False)
        try:
            while True:
                lingering.send(b"x" * 65536)
        except BlockingIOError:
            pass
        data = submission()
        s = self.knock()
        try:
            for i in range(0, len(data), 16):
                s.sendmsg([data[i:i + 16]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lingering.fileno()] * 20))])
        except BrokenPipeError:
            pass
        lingering.close()
        begin = time.monotonic()
        try:
            said = self.answer(s)
        except ConnectionResetError:
            said = ""
        self.assertEqual(said, "", "it was served")
        self.assertRegex(self.submit(), "^0 ")
        self.assertLess(time.monotonic() - begin, 15 * harness.PATIENCE)
        s.close()
        harness.wait_for("no descriptors of the stranger's", lambda: held() <= before + 2)
        far.close()
        listener.close()

    def test_a_file_that_blocks_who_drops_it(self):
        """A file of a FUSE that has stopped answering: it is not outpostd that waits for it."""
        self.configure(self.start_relay())
        service = self.start_outpostd(env=self.old_kernel())
        service.signal(signal.SIGSTOP)      # were he to drop it first, it would be the guest who waits
        deaf = self.start(sys.executable, "-B", os.path.join(harness.SRC, "tests", "system", "deaf_files.py"), self.door)
        harness.wait_for("the attack", lambda: "sent\n" in deaf.output() or not deaf.alive(), 20)
        service.signal(signal.SIGCONT)
        if not deaf.alive():
            self.skipTest("no file system of one's own: " + deaf.output().strip())
        if "harmless" in deaf.output():
            self.skipTest("this kernel lets nobody wait for such a file")
        self.wait_log("uid 0 sent a file descriptor to the door")
        begin = time.monotonic()
        for _ in range(3):
            self.assertRegex(self.submit(), "^0 ")
        self.assertLess(time.monotonic() - begin, 15 * harness.PATIENCE)    # who waits for it waits for ever
        service.stop()      # nor does that wait

    def test_many_descriptors_cost_little(self):
        self.configure(self.start_relay())
        service = self.start_outpostd(env=self.old_kernel())
        flood = subprocess.Popen([sys.executable, "-c", """if 1:
            import array, os, socket
            os.setgroups([]); os.setgid(%d); os.setuid(%d)
            null = array.array("i", [os.open("/dev/null", os.O_RDONLY)])
            for _ in range(4000):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(%r)
                    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, null)])
        """ % (NOBODY, NOBODY, self.door)])
        self.assertEqual(flood.wait(60 * harness.PATIENCE), 0)
        begin = time.monotonic()
        self.assertRegex(self.submit(), "^0 ")
        self.assertLess(time.monotonic() - begin, 15 * harness.PATIENCE)
        self.assertLess(len(harness.children(service.pid)), 10)
        self.assertEqual(len(self.log_lines("sent a file descriptor")), 1)

    def test_without_new_privileges(self):
        """NoNewPrivileges, a fresh uid, no groups: the door needs nothing of them."""
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        os.chmod(self.conf, 0o755)
        os.chmod(os.path.join(self.conf, "main.cf"), 0o644)
        done = subprocess.run(["setpriv", "--no-new-privs", "--reuid", "54321", "--regid", "54321", "--clear-groups",
                               harness.program("sendmail"), "-C", self.conf, "-f", "me@example.com", "you@example.net"],
                              input=b"Subject: x\n\nx\n", stderr=subprocess.PIPE, timeout=30 * harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        relay.wait_messages(1)
        self.assertTrue(self.log_lines("uid=54321"))


if __name__ == "__main__":
    harness.main()
