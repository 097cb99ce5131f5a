"""outpostd: its door under attack, relays that are down, users that take turns, service managers."""
import array
import fcntl
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness

NOBODY, OWNER = 65534, 61236     # the latter nobody has
CONTROL_MAGIC = b"OUTPOST-ASK 1 "
POLL = {"x86_64": 7}.get(os.uname().machine)    # the number of poll(2), where /proc/PID/syscall is looked at


def record(kind, payload=b""):
    return kind + struct.pack(">I", len(payload)) + payload


def submission(sender="s@example.com", recipients=("r@example.net",), body=b"Subject: x\n\nx\n", token=None):
    """What sendmail would write."""
    return (b"OUTPOST1" + record(b"K", token or os.urandom(16)) + record(b"S", sender.encode()) +
            b"".join(record(b"R", r.encode()) for r in recipients) + record(b"B", b"7") +
            record(b"X", struct.pack(">I", body.find(b"\n\n") + 2)) +
            b"".join(record(b"M", body[i:i + 65536]) for i in range(0, len(body), 65536)) + record(b"Z", struct.pack(">Q", len(body))))


def holds(pid, name):
    """Whether it has a file of this name open."""
    return any(os.path.basename(path) == name for path in harness.open_files(pid))


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

    def test_what_is_not_taken_does_not_count(self):
        """Towards user_message_rate_limit: neither what the queue can't store, nor what is a message already."""
        relay = self.start_relay()
        self.configure(relay, user_message_rate_limit="2")
        self.start_outpostd()
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        base.execute("CREATE TRIGGER refuse BEFORE INSERT ON recipient WHEN new.address LIKE 'poison@%' "
                     "BEGIN SELECT RAISE(ABORT, 'no room for poison'); END")
        base.commit()
        base.close()
        token = os.urandom(16)
        for recipient, answer in (("poison", "no room"), ("poison", "no room"), ("good", "^0 "), ("good", "^0 "), ("other", "^0 "),
                                  ("third", "user_message_rate_limit")):
            text, _ = self.submit_as(NOBODY, recipients=(recipient + "@example.net",), token=token if recipient == "good" else None)
            self.assertRegex(text, answer)
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

    def test_descriptors_are_not_taken(self):
        """A passed descriptor is dropped by the kernel: not even to close it, which may block, is it ours."""
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd()

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
        service = self.start_outpostd()
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
        service = self.start_outpostd()
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


class Relays(Flusher):
    def test_a_refused_password_is_not_tried_again(self):
        relay = self.start_relay(password="another")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="3600s")
        service = self.start_outpostd()
        for _ in range(3):
            self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log(r"error: \[localhost\].* is down")
        time.sleep(1.5)
        service.stop()
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        time.sleep(0.5)
        self.assertEqual(relay.counters()["connections"], 1, "it knocked again")
        self.assertEqual(len(self.queue()), 4)
        self.assertFalse(self.log_lines("status=bounced"))
        self.write_secret("sasl_passwd", "[localhost]:%d %s:another\n" % (relay.starttls, harness.USER))
        self.sendmail("-f", "me@example.com", "you@example.net")
        relay.wait_messages(5)
        self.wait_log("is up again")

    def test_what_is_mended_between_two_looks(self):
        """The files are looked at once in a few milliseconds: what is mended just after, and before a message, is seen all the same."""
        relay = self.start_relay(password="another")
        self.configure(relay)
        self.start_outpostd()
        self.assertRegex(self.submit(), "^0 ")
        self.wait_log("is down, its mail waits")
        time.sleep(0.02)
        question = self.knock(CONTROL_MAGIC + b"mailq json\n")
        while question.recv(4096):
            pass
        question.close()
        self.write_secret("sasl_passwd", "[localhost]:%d %s:another\n" % (relay.starttls, harness.USER))
        self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(2)

    def test_a_relay_that_is_down_moves_no_message(self):
        relay = self.start_relay(back=True)
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="2s")
        relay.stop()
        self.start_outpostd()
        for _ in range(20):
            self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("is down")
        self.assertFalse(self.log_lines("queue active"))
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        again.wait_messages(20)

    def test_one_probe_at_a_time(self):
        """However much waits for a relay that is down, and however slowly it says so."""
        relay = self.start_relay(dialogue='when greeting do wait 300; reply "421 4.3.2 not now"; close\n')
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s")
        self.start_outpostd()
        for _ in range(12):
            self.assertRegex(self.submit(), "^0 ")
        self.wait_log("is down", 3)
        with open(relay.commands) as f:
            refusals = [float(line.split()[0]) for line in f if "S: 421" in line]
        gaps = [after - before for before, after in zip(refusals, refusals[1:])]
        self.assertGreater(min(gaps), 0.9, "not a second and 300 ms from one to the next")
        self.assertFalse(self.log_lines("status="))

    def test_flush_is_not_answered_by_an_older_attempt(self):
        """What was mended just now is tried; an attempt that was under way before does not speak for it."""
        relay = self.start_relay(dialogue='when greeting conn=1 do wait 2000; reply "421 4.3.2 not now"; close\n')
        self.configure(relay, minimal_backoff_time="3600s", maximal_backoff_time="3600s")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        harness.wait_for("the first connection", lambda: relay.counters()["connections"] == 1)
        self.assertRegex(self.outpost("flush").out, "1 sent")
        relay.wait_messages(1)
        self.assertEqual(relay.counters()["connections"], 2)

    def test_a_second_flush_is_the_first_made_longer(self):
        relay = self.start_relay(dialogue="when mail do wait 30; normal\n")
        self.configure(relay, smtp_destination_concurrency_limit="1", smtp_pipeline_window="1")
        self.start_outpostd()
        for _ in range(30):
            self.sendmail("-odq", "you@example.net")
        with subprocess.Popen([harness.program("outpost"), "-C", self.conf, "flush"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=self.environ(), text=True) as flush:
            harness.wait_for("some to be sent", lambda: relay.count() >= 5)
            self.sendmail("-q", input=None)
            said = flush.communicate(timeout=60 * harness.PATIENCE)[0]
        self.assertIn("30 sent, nothing is left to send", said)

    def test_flush_counts_what_its_flusher_sent_before_it_was_asked(self):
        """One that was just started is quicker at times than the question."""
        relay = self.start_relay()
        self.configure(relay)
        self.sendmail("-odq", "you@example.net")
        self.outpost("retry", self.queue()[0]["queue_id"])
        self.start_outpostd("--once", wait=False)
        with harness.wait_for("the door", self.guest):      # it stays as long as somebody is connected
            relay.wait_messages(1)
            self.wait_queue_empty()
            self.assertEqual(self.outpost("flush").out, "1 sent, nothing is left to send\n")
            self.assertEqual(self.outpost("flush").out, "0 sent, nothing is left to send\n")

    def test_a_relay_that_fails_after_each_login(self):
        """Its login says nothing about the mail: the distances grow, and it is up when it has answered for a message."""
        for n, good in enumerate(("normal", 'reply "450 4.2.1 try later"')):
            with self.subTest(good=good):
                # Three connections are lost before it counts as down, then one for each attempt.
                relay = self.start_relay(dialogue="when mail conn=6+ do %s\nwhen mail do cut\n" % good, name="fails%d" % n)
                self.queue_dir = os.path.join(self.tmp, "queue%d" % n)
                self.log = os.path.join(self.tmp, "log%d" % n)
                self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", agent_idle_time="0s")
                service = self.start_outpostd()
                self.assertRegex(self.submit(), "^0 ")
                self.wait_log("is up again", timeout=30)
                first, = [line for line in self.log_lines("is down, its mail waits")]
                self.assertEqual(len(self.log_lines("is down still")), 2)
                self.assertLess(self.log_text().rindex("is down still"), self.log_text().index("is up again"))
                self.assertIn("lost connection", first)
                harness.wait_for("all to be forgotten", lambda: self.rows("SELECT failures, kind FROM relay") == [(0, "")])
                service.stop()
                relay.stop()

    def test_users_take_turns(self):
        relay = self.start_relay(dialogue="when mail do wait 10; normal\n")
        self.configure(relay, smtp_destination_concurrency_limit="1", smtp_pipeline_window="1")
        self.start_outpostd()
        for i in range(150):
            self.assertRegex(self.submit(sender="job@example.com"), "^0 ")
        text, _ = self.submit_as(NOBODY, sender="person@example.com")
        self.assertRegex(text, "^0 ")
        before = relay.count()
        messages = relay.wait_messages(151, timeout=30)
        place = [m.sender for m in messages].index("person@example.com")
        self.assertLess(place, before + 40, "behind the other user's mail")

    def test_hangup_reads_the_configuration(self):
        first, second = self.start_relay(), self.start_relay(name="second")
        self.configure(first)
        service = self.start_outpostd()
        self.sendmail("you@example.net")
        first.wait_messages(1)
        self.configure(second)
        service.signal(signal.SIGHUP)
        self.wait_log("configuration was read again")
        self.sendmail("you@example.net")
        second.wait_messages(1)

    def test_hangup_while_it_connects(self):
        """To a relay that is slow to greet: who has no mail yet is not waited for, and that it ends is nobody's fault."""
        relay = self.start_relay(dialogue="when greeting conn=1 do wait 600000; normal\n")
        self.configure(relay, smtp_destination_concurrency_limit="1")
        service = self.start_outpostd()
        self.sendmail("you@example.net")
        harness.wait_for("a connection", lambda: relay.counters()["connections"])
        self.configure(relay, smtp_destination_concurrency_limit="1", smtp_helo_name="other.example.com")
        service.signal(signal.SIGHUP)
        relay.wait_messages(1)
        self.assertFalse(self.log_lines("is down|error:"))

    def test_a_configuration_that_has_changed_is_read_again(self):
        """Without a signal: before a submission, before a flush, and before a relay that is down is tried again. (But not twice
        within a few milliseconds, so each is tried until it is seen.)"""
        relays = [self.start_relay(name="relay%d" % n, dialogue=script) for n, script in
                  enumerate((None, 'when rcpt do reply "450 4.2.1 try later"\n', None, None))]

        def until_seen(what, act, seen):
            harness.wait_for(what, lambda: (act(), seen())[1])
        self.configure(relays[0])
        self.start_outpostd()
        until_seen("the first relay", lambda: self.sendmail("you@example.net"), relays[0].count)
        self.configure(relays[1])
        until_seen("the second relay", lambda: self.sendmail("you@example.net"), lambda: self.log_lines("try later"))
        self.configure(relays[2])
        until_seen("the third relay", lambda: self.outpost("flush", code=None), relays[2].count)
        self.configure(relayhost="[localhost]:%d" % harness.free_port(), minimal_backoff_time="1s", maximal_backoff_time="1s")
        until_seen("one that is down", lambda: self.sendmail("you@example.net"), lambda: self.log_lines("is down"))
        self.configure(relays[3])
        harness.wait_for("the fourth relay", relays[3].count)

    def test_a_broken_configuration_leaves_the_old_one(self):
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd()
        with open(os.path.join(self.conf, "main.cf"), "a") as f:
            f.write("message_size_limit = many\n")
        service.signal(signal.SIGHUP)
        self.wait_log("stays as it was.*message_size_limit")
        self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(1)

    def test_nothing_multiplies(self):
        """A relay that refuses everything, bounces included."""
        relay = self.start_relay(dialogue="when rcpt do reply \"550 5.1.1 nobody here\"\n")
        self.configure(relay)
        self.start_outpostd()
        for _ in range(5):
            self.sendmail("-f", "me@example.com", "a@example.net", "b@example.net")
        self.wait_log("status=bounced", 15)
        self.wait_queue_empty()
        self.outpost("flush")
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        rows = base.execute("SELECT count(*) FROM message").fetchone()[0]
        base.close()
        self.assertEqual(rows, 10)

    def test_one_notification_however_slowly_refusals_come(self):
        """Round trip by round trip, each verdict is stored by itself; the sender is told once."""
        relay = self.start_relay("--rtt", "20", "--ext", "8BITMIME ENHANCEDSTATUSCODES SIZE")
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "good@example.net", *("reject%d@example.net" % i for i in range(8)))
        self.wait_queue_empty()
        first, bounce = relay.wait_messages(2)
        self.assertEqual((first.recipients, bounce.recipients), (["good@example.net"], ["me@example.com"]))
        self.assertEqual(bounce.data.count(b"Final-Recipient:"), 8)

    def test_a_damaged_message_stops_nobody(self):
        """The part of it that a bounce would send back can't be read: the sender is told without it, and the others go on."""
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-odq", "-R", "full", "-f", "me@example.com", "reject@example.net",
                      input=b"Subject: big\n\n" + b"line of text\n" * 12000)
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        with base:
            base.execute("DELETE FROM chunk WHERE id = (SELECT max(id) FROM chunk)")
        base.close()
        self.outpost("flush", code=None)
        self.sendmail("other@example.net")
        bounce, other = sorted(relay.wait_messages(2), key=lambda m: m.sender)
        self.assertEqual((bounce.sender, bounce.recipients, other.recipients), ("", ["me@example.com"], ["other@example.net"]))
        self.assertIn(b"reject@example.net", bounce.data)
        self.assertFalse(self.log_lines("takes no commits"))

    def test_how_much_goes_back(self):
        """All of a large message with RET=FULL, to the byte; else its header."""
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        text = b"Subject: large\n\n" + b"".join(b"line %d\n" % i for i in range(40000))
        for ret in ("full", "hdrs", None):
            self.sendmail(*(("-R", ret) if ret else ()), "-f", "me-%s@example.com" % ret, "reject@example.net", input=text)
        bounces = {m.recipients[0]: m for m in relay.wait_messages(3)}
        for to, bounce in bounces.items():
            report, original = bounce.parsed.get_payload()[1:]
            self.assertEqual(report.get_content_type(), "message/delivery-status")
            self.assertIn(b"Subject: large", original.as_bytes())
            self.assertEqual(text.partition(b"\n\n")[2] in bounce.data, to.startswith("me-full"), to)
            self.assertEqual(bounce.header("Auto-Submitted"), "auto-replied")

    def test_who_has_no_sender_is_told_nothing(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-f", "<>", "reject@example.net")
        self.wait_log("status=bounced")
        harness.wait_for("it to rest", lambda: self.rows("SELECT state, sender FROM message") == [("f", "")])
        self.assertEqual(json.loads(self.outpost("status", "--json", code=None).out)["failed"], 1)
        self.outpost("flush")
        self.assertEqual(relay.count(), 0)
        self.assertEqual(self.rows("SELECT count(*) FROM message"), [(1,)])

    def test_success_is_told_where_the_relay_does_not(self):
        relay = self.start_relay("--ext", "PIPELINING 8BITMIME CHUNKING ENHANCEDSTATUSCODES SIZE")
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-N", "success", "-f", "me@example.com", "you@example.net")
        messages = relay.wait_messages(2)
        self.assertEqual(messages[1].sender, "")
        self.assertIn(b"Action: relayed", messages[1].data)

    def test_success_is_told_by_the_relay_where_it_can(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.sendmail("-N", "success", "-f", "me@example.com", "you@example.net")
        self.wait_log("status=sent")
        harness.wait_for("the commit", lambda: self.rows("SELECT state FROM message WHERE state <> 'q'"))
        self.assertEqual(self.rows("SELECT sender FROM message"), [("me@example.com",)])
        with open(relay.commands) as f:
            self.assertRegex(f.read(), r"RCPT TO:<you@example\.net>.* NOTIFY=SUCCESS")

    def test_too_old(self):
        """Not before five attempts, then with the relay's words to the sender."""
        relay = self.start_relay(dialogue="when rcpt arg~old do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", maximal_queue_lifetime="1s")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "old@example.net")
        bounce, = relay.wait_messages(1, timeout=30)
        self.assertEqual(bounce.sender, "")
        self.assertIn(b"try later", bounce.data)
        self.assertGreaterEqual(len(self.log_lines("to=<old@.*status=deferred")), 5)
        self.wait_log("status=expired, returned to sender")

    def test_delay_warning(self):
        relay = self.start_relay(dialogue="when rcpt arg~slow do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", delay_warning_time="1s")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        warning, = relay.wait_messages(1, timeout=30)
        self.assertIn(b"Action: delayed", warning.data)
        self.wait_log("to=<slow@.*status=deferred", 4)
        self.assertEqual(relay.count(), 1, "one warning is enough")

    def test_many_senders_are_one_relay(self):
        """Each sender with a credential of his own, and the relay's connections are counted together."""
        relay = self.start_relay("--rtt", "20")
        self.configure(relay, smtp_sender_dependent_authentication="yes")
        self.write_secret("sasl_passwd", "".join("s%d@example.com %s:%s\n" % (i, harness.USER, harness.PASSWORD) for i in range(12)))
        self.start_outpostd()
        for i in range(12):
            self.assertRegex(self.submit(sender="s%d@example.com" % i), "^0 ")
        relay.wait_messages(12, timeout=25)
        # Three, and those that the relay has not yet seen leave.
        self.assertLessEqual(relay.counters()["connections_max"], 6)

    def test_a_thousand_senders_without_a_login(self):
        """They share the relay's; who has one, or whose domain has, is another relay. What nobody needs is not kept."""
        relay = self.start_relay("--user", "one:first", "--user", "all:second")
        self.configure(relay, smtp_sender_dependent_authentication="yes", minimal_backoff_time="1h")
        self.write_secret("sasl_passwd", "one@own.example one:first\n@domain.example all:second\n[localhost]:%d %s:%s\n" %
                          (relay.starttls, harness.USER, harness.PASSWORD))
        self.start_outpostd()
        senders = ["one@own.example"] + ["s%d@%s.example" % (i, ("own", "domain")[i % 2]) for i in range(1000)]
        for begin in range(0, len(senders), 50):
            clients = [self.knock(submission(sender=sender)) for sender in senders[begin:begin + 50]]
            self.assertEqual({self.answer(c)[:2] for c in clients}, {"0 "})
            for c in clients:
                c.close()
        taken = relay.wait_messages(len(senders), timeout=60)
        logins = {m.sender: m.envelope["user"] for m in taken}
        self.assertEqual(logins.pop("one@own.example"), "one")
        self.assertEqual({(who.partition("@")[2], user) for who, user in logins.items()},
                         {("own.example", harness.USER), ("domain.example", "all")})
        self.assertLess(relay.counters()["connections"], 50)
        harness.wait_for("the commit", lambda: {name.partition(" ")[2] for name, in self.rows("SELECT nexthop FROM relay")} ==
                         {"", "one@own.example", "@domain.example"})

    def test_fewer_connections_where_the_relay_says_so(self):
        relay = self.start_relay("--rtt", "20", dialogue="when greeting conn=2+ do reply \"421 4.3.2 too many connections\"; close\n")
        self.configure(relay, smtp_pipeline_window="2")
        self.start_outpostd()
        for _ in range(60):
            self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(60, timeout=30)
        self.assertFalse(self.log_lines("is down"))

    def test_a_relay_that_closes_all_connections_is_left_alone(self):
        """The last that is told "421" says that none is let in: it takes no further login to find that out."""
        relay = self.start_relay(dialogue='when mail nth=2+ do wait 5000; reply "421 4.3.2 shutting down"; close\n')
        self.configure(relay, smtp_destination_concurrency_limit="2", smtp_pipeline_window="2", minimal_backoff_time="1h")
        service = self.start_outpostd()
        for _ in range(20):
            self.assertRegex(self.submit(), "^0 ")
        harness.wait_for("two connections that serve", lambda: relay.count() == 2)
        service.signal(signal.SIGSTOP)      # so that it hears of both at once
        harness.wait_for("their ends", lambda: not harness.children(service.pid))
        service.signal(signal.SIGCONT)
        self.wait_log("is down")
        self.assertEqual(relay.counters()["connections"], 2)


    def test_a_restart_is_no_limit(self):
        """A relay that is shut down says 421 to one connection after the other; the last of them that goes on is not all it allows."""
        end = 'reply "421 4.3.2 shutting down"; close\n'
        for dialogue in ("when greeting conn=2 do %swhen mail conn=1 nth=2 do wait 800; %s" % (end, end),
                         "when mail conn=1 nth=2 do wait 800; %swhen mail conn=2 nth=2 do wait 1600; normal\n" % end):
            relay = self.start_relay(dialogue=dialogue, name="relay%d" % len(dialogue))
            self.configure(relay, smtp_destination_concurrency_limit="2", smtp_pipeline_window="2", minimal_backoff_time="1s")
            service = self.start_outpostd()
            for _ in range(20):
                self.assertRegex(self.submit(), "^0 ")
            relay.wait_messages(20, timeout=30)
            self.wait_queue_empty()
            self.assertEqual(service.stop(), 0)
            self.assertEqual([known for known, in self.rows("SELECT known FROM relay") if "connections=" in known], [])


class Service(Flusher):
    def test_once_leaves(self):
        relay = self.start_relay()
        self.configure(relay)
        self.sendmail("-odq", "you@example.net")
        service = self.start_outpostd("--once", wait=False)
        service.wait(15)
        self.assertFalse(os.path.exists(self.door))
        self.assertEqual(len(self.queue()), 1, "-odq waits for the next run of the queue")

    def test_who_is_let_in_while_it_leaves(self):
        """He connected in time, and is served: so what he brought is sent as well, though nobody else comes."""
        relay, n = self.while_it_leaves(lambda: self.submit().startswith("0 "))
        relay.wait_messages(n + 1)

    def test_who_asks_for_a_run_while_it_leaves(self):
        """A run that it can't make any more is not promised: he is hung up on, and asks the next."""
        def hung_up_on():
            s = self.knock(CONTROL_MAGIC + b"wake\n")
            with s:
                self.assertEqual(s.recv(100), b"")
            return True
        self.while_it_leaves(hung_up_on)

    def while_it_leaves(self, what):
        """The relay, and how many messages it took before that was done."""
        relay = self.start_relay()
        self.configure(relay)
        for n in range(1, 6):
            self.sendmail("-odq", "first@example.net")
            self.outpost("retry", self.queue()[0]["queue_id"])
            service = self.start_outpostd("--once", wait=False)
            harness.wait_for("the door", self.door_answers)
            relay.wait_messages(n)
            self.wait_log(": removed", n)
            if self.let_in(service, what):
                return relay, n
            service.wait(20)        # we were not quick enough
        return self.fail("never quick enough")

    def let_in(self, service, what):
        """Whether somebody was, when it had taken its name from the door. Another name stands for knowing that in time."""
        named, self.door = self.door, self.door + ".again"
        try:
            os.link(named, self.door)
            for agent in harness.children(service.pid):
                os.kill(agent, signal.SIGSTOP)      # it is waited for, a second long
            harness.wait_for("it to leave", lambda: not os.path.exists(named))
            return what()
        except OSError:
            return False
        finally:
            if os.path.exists(self.door):
                os.unlink(self.door)
            self.door = named

    def test_stopped_while_it_connects(self):
        """That is held neither against the relay nor against the message."""
        relay = self.start_relay(dialogue="when greeting conn=1 do wait 600000; normal\n")
        self.configure(relay)
        service = self.start_outpostd()
        self.assertRegex(self.submit(), "^0 ")
        harness.wait_for("a connection", lambda: relay.counters()["connections"])
        service.stop()
        self.assertEqual(self.rows("SELECT * FROM relay WHERE down_since OR failures"), [])
        self.start_outpostd()
        relay.wait_messages(1)

    def test_second_one_is_told(self):
        self.configure(self.start_relay())
        self.start_outpostd()
        done = self.run_program("outpostd", "-C", self.conf, "-f", "--once", code=79)
        self.assertIn("flusher is at work", done.out + done.err + self.log_text())

    def test_who_waits_for_the_lock_can_be_stopped(self):
        self.configure(self.start_relay())
        os.makedirs(self.queue_dir, exist_ok=True)
        with open(os.path.join(self.queue_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            waiting = self.start_outpostd(wait=False)

            harness.wait_for("it to wait", lambda: holds(waiting.pid, "lock"))
            waiting.signal(signal.SIGTERM)
            harness.wait_for("its end", lambda: not waiting.alive(), 5)

    def test_hangup_while_it_starts(self):
        """There is no configuration to read again yet: it is no reason to end."""
        self.configure(self.start_relay())
        os.makedirs(self.queue_dir, exist_ok=True)
        with open(os.path.join(self.queue_dir, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            service = self.start_outpostd(wait=False)
            harness.wait_for("it to wait for the lock", lambda: holds(service.pid, "lock"))
            service.signal(signal.SIGHUP)
        self.wait_log("configuration was read again")
        self.assertRegex(self.submit(), "^0 ")

    def test_inherited_signals(self):
        """Of a caller who does not care for his children, nor for hangups."""
        relay = self.start_relay()
        self.configure(relay, agent_idle_time="0s")
        service = self.start(sys.executable, "-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
                             "signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])",
                             harness.program("outpostd"), "-C", self.conf, "-f", log=os.path.join(self.tmp, "outpostd.log"))
        harness.wait_for("the door", self.door_answers)
        with open("/proc/%d/status" % service.pid) as f:
            ignored = int(re.search(r"SigIgn:\s*(\w+)", f.read()).group(1), 16)
        self.assertFalse(ignored >> signal.SIGCHLD - 1 & 1)
        self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(1)
        service.signal(signal.SIGHUP)
        self.wait_log("configuration was read again")

    def displaced(self, *names, to=None):
        """outpostd at work, and somebody tidies up its directory. Mail that came before is at the relay."""
        relay = self.start_relay()
        self.configure(relay, door_socket=None)
        self.door = os.path.join(self.queue_dir, "door")
        service = self.start_outpostd()
        self.sendmail("before@example.net")
        relay.wait_messages(1)
        self.wait_queue_empty()
        for name in names:
            path = os.path.join(self.queue_dir, name)
            os.rename(path, to) if to else os.unlink(path)
        return relay, service

    def test_database_that_is_gone(self):
        """What is stored in a file without a name is lost when outpostd ends: it is not acknowledged, and comes in again by
        another way."""
        self.may_leave_processes = True
        for names, to in ((("queue.db", "queue.db-wal", "queue.db-shm"), None), (("queue.db",), os.path.join(self.tmp, "old.db")),
                          (("queue.db-wal",), None)):
            with self.subTest(names):
                relay, service = self.displaced(*names, to=to)
                self.assertEqual(self.submit(), "")
                self.assertEqual(service.wait(), 75)
                self.wait_log("/%s was removed or replaced while it was in use; nothing more is accepted" % names[0])
                if to:
                    for end in ("", "-wal", "-shm"):
                        if os.path.exists(os.path.join(self.queue_dir, "queue.db" + end)):
                            os.unlink(os.path.join(self.queue_dir, "queue.db" + end))
                relay.stop()
                shutil.rmtree(self.queue_dir)
                os.unlink(self.log)
        relay, service = self.displaced("queue.db", "queue.db-wal", "queue.db-shm")
        self.sendmail("after@example.net")
        self.assertEqual([m.recipients for m in relay.wait_messages(2)][1], ["after@example.net"])

    def test_incoming_while_the_database_is_gone(self):
        _, service = self.displaced("queue.db", "queue.db-wal", "queue.db-shm")
        data = submission(recipients=("kept@example.net",))
        self.run_program("outpost-drop", "-q", self.queue_dir, input=data)
        self.assertEqual(service.wait(), 75)
        self.assertEqual(len(os.listdir(os.path.join(self.queue_dir, "incoming"))), 1)

    def test_lock_that_is_gone(self):
        """Another flusher may be at work: nothing more is sent."""
        relay, service = self.displaced("lock")
        self.assertEqual(self.submit(), "")
        self.assertEqual(service.wait(), 75)
        self.wait_log("/lock was removed or replaced")
        self.assertEqual(relay.count(), 1)

    def test_agents_hold_the_lock(self):
        """So a new flusher waits for the last agent of one that was killed."""
        relay = self.start_relay()
        self.configure(relay)
        service = self.start_outpostd()
        self.sendmail("you@example.net")
        relay.wait_messages(1)
        agents = harness.descendants(service.pid)
        self.assertTrue(agents)
        for pid in agents:
            held = []
            for fd in os.listdir("/proc/%d/fdinfo" % pid):
                try:
                    with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                        if "FLOCK" in f.read():
                            held.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                except FileNotFoundError:
                    pass        # closed meanwhile
            self.assertEqual([os.path.dirname(path) for path in held], [os.path.realpath(self.queue_dir)])

    def managers_door(self):
        """One that a service manager keeps, as descriptor 3."""
        door = socket.socket(socket.AF_UNIX)
        door.bind(self.door)
        os.chmod(self.door, 0o666)
        door.listen(100)
        if door.fileno() != 3:
            os.dup2(door.fileno(), 3, inheritable=True)
        return door

    def start_activated(self, env=None):
        return self.start("/bin/sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=door exec %s -C %s -f" %
                          (harness.program("outpostd"), self.conf), log=os.path.join(self.tmp, "outpostd.log"), env=env, pass_fds=[3])

    def test_who_comes_to_a_managers_door_while_it_leaves(self):
        """He waits there for the next one: nobody would send what this one took."""
        relay = self.start_relay()
        self.configure(relay, idle_time="1s")
        door, admin = self.managers_door(), os.path.join(self.queue_dir, "admin")
        first = self.knock(submission())
        service = self.start_activated()
        self.assertRegex(self.answer(first), "^0 ")
        relay.wait_messages(1)
        self.wait_log(": removed")
        for agent in harness.children(service.pid):
            os.kill(agent, signal.SIGSTOP)      # it is waited for, a second long
        harness.wait_for("it to leave", lambda: not os.path.exists(admin))
        second = self.knock(submission())
        self.assertEqual(service.wait(), 0)
        self.assertEqual(select.select([second], [], [], 0)[0], [], "it was let in")
        self.start_activated()
        self.assertRegex(self.answer(second), "^0 ")
        relay.wait_messages(2)
        for s in (first, second, door):
            s.close()

    def test_socket_activation_readiness_watchdog(self):
        relay = self.start_relay()
        self.configure(relay, idle_time="1s")
        door = self.managers_door()
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(os.path.join(self.tmp, "notify"))
        told.settimeout(10 * harness.PATIENCE)
        client = self.knock(submission())       # whom it was started for
        service = self.start_activated({"NOTIFY_SOCKET": os.path.join(self.tmp, "notify"), "WATCHDOG_USEC": "1000000"})
        words = [told.recv(100).decode()]
        self.assertRegex(self.answer(client), "^0 ")
        client.close()
        relay.wait_messages(1)
        while "WATCHDOG=1" not in words:
            words.append(told.recv(100).decode())
        self.assertEqual(words[0], "READY=1")
        service.wait(20)        # idle
        self.assertTrue(os.path.exists(self.door), "the service manager's socket is not ours to remove")
        door.close()
        told.close()

    def test_process_one(self):
        if subprocess.run(["unshare", "--pid", "--fork", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no process namespaces here")
        relay = self.start_relay()
        self.configure(relay)
        service = self.start("unshare", "--pid", "--fork", "--kill-child", harness.program("outpostd"), "-C", self.conf, "-f",
                             log=os.path.join(self.tmp, "outpostd.log"))
        harness.wait_for("the door", self.door_answers)
        self.assertRegex(self.submit(), "^0 ")
        relay.wait_messages(1)
        self.wait_log(r"outpost/outpostd\[1\]")
        first, = harness.children(service.pid)
        # Who is left behind by his parent is its child now, and it buries him.
        subprocess.run(["nsenter", "-t", str(first), "-p", "sh", "-c", "sleep 600 >/dev/null 2>&1 &"], check=True)
        orphan, = harness.wait_for("the orphan", lambda: [p for p in harness.children(first) if "sleep" in harness.command_of(p)])
        os.kill(orphan, signal.SIGKILL)
        harness.wait_for("its burial", lambda: not os.path.exists("/proc/%d" % orphan))
        os.kill(first, signal.SIGTERM)
        self.assertEqual(service.wait(), 0)

    def owners(self):
        """Of all that is in the queue's directory."""
        found = set()
        for place, _, names in os.walk(self.queue_dir):
            for name in (".", *names):
                try:
                    found.add(os.lstat(os.path.join(place, name)).st_uid)
                except FileNotFoundError:   # a WAL comes and goes
                    pass
        return found

    def is_wholly_the_owner(self, pid):
        with open("/proc/%d/status" % pid) as f:
            status = dict(line.split(":", 1) for line in f)
        return (status["Uid"].split() + status["Gid"].split() + status["Groups"].split() == [str(OWNER)] * 9 and
                int(status["CapPrm"], 16) == 0)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be it no longer")
    def test_root_becomes_the_queues_owner(self):
        """Whatever root starts: not a file of the queue is ever root's, and nothing of root's rights is left."""
        self.door = os.path.join(self.queue_dir, "door")
        self.configure(self.start_relay(dialogue="when greeting do wait 600000; normal\n"), door_socket=None)
        os.chown(os.path.join(self.conf, "sasl_passwd"), OWNER, OWNER)
        os.mkdir(self.queue_dir, 0o700)
        os.chown(self.queue_dir, OWNER, OWNER)
        self.sendmail("-odq", "dropped@example.net")
        service = self.start_outpostd()
        self.sendmail("-odq", "you@example.net")
        self.assertTrue(self.is_wholly_the_owner(service.pid))
        self.assertEqual(self.owners(), {OWNER})
        flush = self.start(harness.program("outpost"), "-C", self.conf, "flush", log=os.path.join(self.tmp, "flush.log"))
        harness.wait_for("flush to be the owner", lambda: self.is_wholly_the_owner(flush.pid))
        harness.wait_for("the agent", lambda: [p for p in harness.children(service.pid) if "outpost-smtp" in harness.command_of(p)])
        self.assertEqual([p for p in harness.descendants(service.pid) if not self.is_wholly_the_owner(p)], [])
        flush.stop()
        service.stop()
        self.outpost("hold", "--all")
        self.outpost("check", "--offline", code=None)
        self.sendmail("-odq", "dropped@example.net")
        self.assertEqual(len(self.outpost("queue", "--json").out.splitlines()), 3)
        self.outpost("status", code=None)
        self.assertEqual(self.owners(), {OWNER})

    def test_rights_are_given_up(self):
        self.configure(self.start_relay())
        service = self.start_outpostd()         # it listens a moment before

        def given_up():
            with open("/proc/%d/status" % service.pid) as f:
                return re.search(r"NoNewPrivs:\s*1", f.read())
        if not harness.ASAN:
            harness.wait_for("no new privileges", given_up)

    @unittest.skipIf(harness.ASAN, "sanitizers switch the sandbox off, and nothing can be preloaded before them")
    def test_what_it_may_write_to(self):
        """Its queue and its log, and nothing else that root could: a library in what it starts, which is as shut in as itself, tries."""
        relay = self.start_relay()
        self.configure(relay)
        if self.run_program("sendmail", "-C", self.conf, "-bs", "--sandbox-probe", code=None).returncode:
            self.skipTest("no Landlock here")
        library = os.path.join(self.tmp, "slowusers.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(os.path.dirname(__file__), "slowusers.c")], check=True)
        elsewhere = tempfile.mkdtemp(prefix="outpost-elsewhere-", dir="/var/tmp")
        harness.write_down(elsewhere)
        self.addCleanup(shutil.rmtree, elsewhere)
        outside, inside = os.path.join(elsewhere, "made"), os.path.join(self.queue_dir, "made")
        self.start_outpostd(env={"LD_PRELOAD": library, "OUTPOST_MAKE": outside + ":" + inside})
        self.assertRegex(self.submit_as(NOBODY)[0], "^0 ")
        relay.wait_messages(1)
        self.assertEqual((os.path.exists(inside), os.path.exists(outside)), (True, False))

    def test_idle_means_idle(self):
        """No wake-up when there is nothing to do."""
        relay = self.start_relay()
        self.configure(relay, agent_idle_time="0s")
        service = self.start_outpostd()
        self.sendmail("you@example.net")
        relay.wait_messages(1)
        harness.wait_for("the agent to leave", lambda: not harness.descendants(service.pid))

        def sleeps():
            """In poll(2), for nothing but the first upkeep, a minute after the start."""
            with open("/proc/%d/syscall" % service.pid) as f:
                call = f.read().split()
            timeout = int(call[3], 16) if len(call) > 3 else 0
            return call[0] == str(POLL) and 10000 < timeout < 60000

        def switches():
            with open("/proc/%d/status" % service.pid) as f:
                return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
        if POLL and os.geteuid() == 0:
            harness.wait_for("outpostd to sleep", sleeps)
        before = switches()
        time.sleep(1)
        self.assertEqual(switches(), before)

    @unittest.skipIf(harness.ASAN, "sanitizers keep shadows")
    def test_idle_memory(self):
        relay = self.start_relay()
        self.configure(relay, agent_idle_time="1s")
        service = self.start_outpostd()
        for n in range(50):     # one by one: a backlog takes more, which the allocator keeps
            self.sendmail("you@example.net", input=b"Subject: x\n\n" + b"line\n" * 20000)
            relay.wait_messages(n + 1)
        harness.wait_for("the agent to leave", lambda: not harness.descendants(service.pid))
        with open("/proc/%d/smaps_rollup" % service.pid) as f:
            private = sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
        self.assertLess(private, 4096, "KiB")


if __name__ == "__main__":
    harness.main()
