"""Time: a clock that is stepped, mail that grows old while its relay is down, callers that are frozen."""
import glob
import os
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
import unittest

import harness
import test_agent

HERE = os.path.dirname(os.path.abspath(__file__))
YEARS = 50 * 365 * 86400


class Times(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")


class Stepped(Times):
    @classmethod
    def setUpClass(cls):
        if harness.ASAN:
            raise unittest.SkipTest("nothing can be preloaded before the sanitizers")
        cls.folder = tempfile.mkdtemp(prefix="outpost-clock-")
        cls.library = os.path.join(cls.folder, "stepclock.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", cls.library, os.path.join(HERE, "stepclock.c")], check=True)

    @classmethod
    def tearDownClass(cls):
        for path in glob.glob(cls.folder + "/*"):
            os.unlink(path)
        os.rmdir(cls.folder)

    def setUp(self):
        super().setUp()
        self.clock = os.path.join(self.tmp, "clock")
        self.step(0)

    def step(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("=q", seconds))

    def start_stepped(self):
        return self.start_outpostd(env={"LD_PRELOAD": self.library, "OUTPOST_CLOCK": self.clock})

    def start_steady(self, before=()):
        """Its monotonic clock alone is stepped: see later()."""
        argv = [*before, harness.program("outpostd"), "-C", self.conf, "-f"]
        service = self.start(*argv, log=os.path.join(self.tmp, "outpostd.log"),
                             env={"LD_PRELOAD": self.library, "OUTPOST_MONOTONIC": self.clock})
        harness.wait_for("the door", self.door_answers)
        self.passed = 0
        return service

    def later(self, seconds):
        """So many seconds later, and outpostd has looked at its clock."""
        self.passed += seconds
        self.step(self.passed)
        self.mailq()


class Clock(Stepped):
    def jump(self, seconds):
        """One message is deferred again and again while the clock is stepped; it neither ends nor sleeps."""
        relay = self.start_relay(dialogue="when rcpt arg~slow do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", delay_warning_time="1d")
        self.start_stepped()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        self.wait_log("to=<slow@.*status=deferred", 5, timeout=20)
        self.step(seconds)
        self.wait_log("clock was stepped by %s" % str(seconds)[:4], timeout=20)
        self.wait_log("to=<slow@.*status=deferred", 8, timeout=20)
        self.sendmail("-f", "me@example.com", "you@example.net")
        relay.wait_messages(1)
        self.assertFalse(self.log_lines("status=expired|warning was sent"))
        self.times_follow(seconds)

    def times_follow(self, seconds):
        """Those of the oldest message, or it would wait for years; they do when it is not under way."""
        def near():
            times, = self.rows("SELECT arrival, due FROM message WHERE state = 'q' ORDER BY id LIMIT 1")
            return all(abs(t / 1e6 - time.time() - seconds) < 60 for t in times)
        harness.wait_for("times of today", near)

    def test_forward(self):
        self.jump(YEARS)

    def test_back(self):
        self.jump(-YEARS)

    def test_back_while_the_relay_is_down(self):
        """The time of its next try follows; else it would come in fifty years."""
        relay = self.start_relay(back=True)
        self.configure(relay, minimal_backoff_time="2s", maximal_backoff_time="2s")
        relay.stop()
        self.start_stepped()
        self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("is down")
        self.step(-YEARS)
        self.wait_log("clock was stepped by -")
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        again.wait_messages(1, timeout=20)

    def test_while_a_message_is_under_way(self):
        """A verdict that comes after the step, about a message claimed before it."""
        relay = self.start_relay(dialogue="when rcpt arg~slow do wait 1500; reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", maximal_queue_lifetime="1d")
        self.start_stepped()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        self.wait_log("queue active")
        self.step(YEARS)
        self.wait_log("to=<slow@.*status=deferred", 2, timeout=20)
        self.times_follow(YEARS)

    def test_what_was_queued_by_a_clock_that_was_right(self):
        """A machine without a clock of its own boots in 1976 and learns the time: the mail of its last life stays."""
        relay = self.start_relay(dialogue="when rcpt arg~slow do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s")
        service = self.start_stepped()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        self.wait_log("to=<slow@.*status=deferred", 1)
        service.stop()
        self.step(-YEARS)
        self.start_stepped()
        self.sendmail("-f", "me@example.com", "you@example.net")
        relay.wait_messages(1)
        self.step(0)
        self.sendmail("-f", "me@example.com", "me@example.net")
        relay.wait_messages(2)
        self.wait_log("to=<slow@.*status=deferred", 3, timeout=20)
        self.times_follow(0)


class PutRight(Stepped):
    """A clock that is put right while no flusher runs: nobody sees the step, only times that can't be."""

    def test_mail_of_the_future(self):
        relay = self.start_relay(back=True, dialogue="when rcpt arg~slow do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1h", maximal_backoff_time="1h")
        self.step(YEARS)
        service = self.start_stepped()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        self.wait_log("to=<slow@.*status=deferred", 1)
        relay.stop()
        self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("is down")
        service.stop()
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        self.step(0)
        self.start_stepped()
        again.wait_messages(2)
        self.assertTrue(self.log_lines("messages have times of a clock that was wrong"))

    def test_mail_of_long_ago(self):
        """A lifetime of attempts under a clock that did not know the year, none of it true."""
        relay = self.start_relay(dialogue="when rcpt arg~slow do reply \"450 4.2.1 try later\"\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", delay_warning_time="1d")
        self.step(-YEARS)
        service = self.start_stepped()
        self.sendmail("-f", "me@example.com", "slow@example.net")
        self.wait_log("to=<slow@.*status=deferred", 5, timeout=20)
        service.stop()
        self.step(0)
        self.start_stepped()
        self.wait_log("to=<slow@.*status=deferred", 7, timeout=20)
        self.assertFalse(self.log_lines("status=expired|warning was sent|sender delay"))
        (arrival,), = self.rows("SELECT arrival FROM message WHERE state = 'q'")
        self.assertLess(abs(arrival / 1e6 - time.time()), 60)


class Edited(Stepped):
    def test_main_cf_that_was_seen_half_written(self):
        """An editor that empties the file first, and a relay that falls due just then: what it writes next is seen without a word from
        anybody, though the relay that was down is named no more."""
        relay = self.start_relay()
        self.configure(relay, relayhost="[localhost]:%d" % harness.free_port(), minimal_backoff_time="1s",
                       maximal_backoff_time="1s")
        self.start_steady()
        self.sendmail("you@example.net")
        self.wait_log("is down, its mail waits")
        with open(os.path.join(self.conf, "main.cf"), "w"):
            self.wait_log("no mail can be sent: relayhost is not set")
        self.configure(relay)
        self.step(31)
        harness.wait_for("the mail", lambda: self.door_answers() and relay.count())


class Ageing(Times):
    def down(self, relay, **params):
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s", **params)

    def test_expires_while_the_relay_is_down(self):
        """Its failures are the message's attempts: at least five, then the sender is told in the relay's words."""
        relay = self.start_relay(back=True)
        self.down(relay, maximal_queue_lifetime="1s")
        relay.stop()
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "old@example.net")
        self.wait_log("status=expired, returned to sender", timeout=30)
        self.assertGreaterEqual(len(self.log_lines("is down")), 1)
        (failures,), = self.rows("SELECT failures FROM relay")
        self.assertGreaterEqual(failures, 5)
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        bounce, = again.wait_messages(1, timeout=20)
        self.assertEqual(bounce.sender, "")
        self.assertIn(b"Action: failed", bounce.data)
        self.assertIn(b"old@example.net", bounce.data)

    def test_warns_while_the_relay_is_down(self):
        relay = self.start_relay(back=True)
        self.down(relay, delay_warning_time="1s")
        relay.stop()
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "slow@example.net")

        def failed_often():
            rows = self.rows("SELECT failures FROM relay")
            return rows and rows[0][0] >= 4
        harness.wait_for("four failures", failed_often, 30)
        self.assertEqual(self.rows("SELECT count(*) FROM message WHERE flags & 2"), [(1,)], "one warning")
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        messages = again.wait_messages(2, timeout=20)
        self.assertEqual(sorted(m.sender for m in messages), ["", "me@example.com"])
        self.assertIn(b"Action: delayed", [m.data for m in messages if not m.sender][0])

    def never(self, relay, reasons, **params):
        """Five failures and more, long after the lifetime: the mail stays, nobody is warned."""
        self.down(relay, maximal_queue_lifetime="1s", delay_warning_time="1s", **params)
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")

        def failed():
            rows = self.rows("SELECT reason, failures FROM relay")
            return rows and rows[0][0].startswith(reasons) and rows[0][1]
        for _ in range(6):
            harness.wait_for("a failure", failed, 20)
            if failed() >= 6:
                break
            self.outpost("flush", code=None)
        harness.wait_for("six failures", lambda: (failed() or 0) >= 6, 20)
        arrived, = self.rows("SELECT arrival / 1e6 FROM message")[0]
        harness.wait_for("its lifetime to pass", lambda: time.time() > arrived + 1.1)
        for _ in range(2):      # when the second is over, what followed from the first has happened
            before = failed()
            self.outpost("flush", code=None)
            harness.wait_for("one more failure", lambda n=before: (failed() or 0) > n, 20)
        self.assertEqual(len(self.queue()), 1)
        self.assertFalse(self.log_lines("status=(expired|bounced)|sender delay"))
        self.assertEqual(self.rows("SELECT count(*) FROM message"), [(1,)])
        self.assertEqual(len(self.log_lines("error: .* is down")), 1, "one loud line")

    def left_behind(self, service_runs):
        """Ten days with a password that is refused, longer than mail lives; then another relay, which is down. What of the ten days
        was the password's does not count there either, and what comes after does."""
        refusing = self.start_relay(password="another")
        self.down(refusing)
        service = self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("mail is kept and will not expire")
        service.stop()
        base = sqlite3.connect(os.path.join(self.queue_dir, "queue.db"))
        with base:
            base.execute("UPDATE relay SET down_since = down_since - ?", (10 * 86400 * 1000000,))
            base.execute("UPDATE message SET arrival = arrival - ?", (10 * 86400 * 1000000,))
        base.close()
        if service_runs:
            service = self.start_outpostd()
        other = harness.free_port()
        self.down(None, relayhost="[localhost]:%d" % other)
        if service_runs:
            service.signal(signal.SIGHUP)
        else:
            self.start_outpostd()
        harness.wait_for("seven failures of the other", lambda: self.rows(
            "SELECT 1 FROM relay WHERE failures >= 7 AND nexthop = '[localhost]:%d'" % other), 40)
        self.assertEqual(len(self.queue()), 1)
        self.assertFalse(self.log_lines("status=expired"))
        self.assertEqual(self.rows("SELECT down_since, down_until FROM relay WHERE nexthop <> '[localhost]:%d'" % other), [(0, 0)])
        (since, until), = self.rows("SELECT since, until FROM pause")
        self.assertAlmostEqual((until - since) / 1e6, 10 * 86400, delta=600)

    def test_of_a_relay_that_was_left_behind(self):
        self.left_behind(True)

    def test_of_a_relay_that_was_left_behind_while_nobody_was_there(self):
        self.left_behind(False)

    def test_refused_by_one_that_was_left_behind(self):
        """The answer came when main.cf named another already: nothing waits for that one."""
        refusing = self.start_relay(dialogue='when mail do wait 1500; reply "535 5.7.8 no"\n')
        self.down(refusing)
        service = self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        harness.wait_for("the mail", lambda: "C: MAIL" in self.commands(refusing))
        other = self.start_relay(name="other")
        self.down(other)
        service.signal(signal.SIGHUP)
        other.wait_messages(1)
        self.wait_log("535 5.7.8 no")
        harness.wait_for("its end", lambda: self.rows(
            "SELECT down_since, down_until FROM relay WHERE nexthop = '[localhost]:%d'" % refusing.starttls) == [(0, 0)])

    def commands(self, relay):
        with open(relay.commands) as f:
            return f.read()

    def test_never_while_the_password_is_refused(self):
        self.never(self.start_relay(password="another"), "login-")

    def test_never_while_the_certificate_is_wrong(self):
        self.never(self.start_relay(), "tls-", smtp_tls_CAfile="/etc/ssl/certs/ca-certificates.crt")

    def test_never_while_the_configuration_is_wrong(self):
        self.never(self.start_relay(), ("config", "tls-ca-file"), smtp_tls_CAfile="/nonexistent/ca.pem")

    def test_sendmail_q_knocks_where_only_the_network_was_down(self):
        """As with Postfix, -q tries at once; but never again a password that was refused."""
        relay = self.start_relay(back=True)
        self.configure(relay, minimal_backoff_time="1h", maximal_backoff_time="1h")
        relay.stop()
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("is down")
        again = self.start_relay("--port587", str(relay.starttls), name="again")
        self.sendmail("-q", input=None)
        again.wait_messages(1, timeout=20)

    def test_sendmail_q_repeats_no_refused_password(self):
        relay = self.start_relay(password="another")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1h")
        self.start_outpostd()
        self.sendmail("-f", "me@example.com", "you@example.net")
        self.wait_log("is down")
        for _ in range(3):
            self.sendmail("-q", input=None)
        time.sleep(1)
        self.assertEqual(relay.counters()["connections"], 1, "it knocked again")


class Upkeep(Stepped):
    FIRST = 61

    def test_what_is_over_goes(self):
        """History and failed messages end, and the disk gets back what they took, without anybody asking for it."""
        relay = self.start_relay()
        self.configure(relay, failed_lifetime="0s", history_lifetime="0s")
        self.start_steady()
        self.sendmail("-f", "me@example.com", "you@example.net")
        self.sendmail("-f", "<>", "reject@example.net", input=b"Subject: large\n\n" + b"line of text\n" * 600000)
        harness.wait_for("both to be over", lambda: self.rows("SELECT count(*) FROM message WHERE state = 'q'") == [(0,)], 20)
        self.assertEqual(self.rows("SELECT count(*) FROM message WHERE state = 'f'"), [(1,)])
        self.assertNotEqual(self.rows("SELECT count(*) FROM event"), [(0,)])
        self.assertGreater(self.rows("PRAGMA page_count")[0][0], 400)
        self.later(self.FIRST)
        harness.wait_for("their end", lambda: self.rows("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM event)") == [(0,)])
        # Some pages are kept for what comes next.
        harness.wait_for("their space", lambda: self.rows("PRAGMA freelist_count")[0][0] < 200)


class Hung(Stepped):
    """A delivery agent that says nothing any more. Only outpostd's clock is stepped: the agents' own goes on as it should."""
    LOOK_UP, SILENT, DOUBT = 601, 121, 21

    def agent(self, service):
        return harness.wait_for("an agent", lambda: [p for p in harness.descendants(service.pid)
                                                     if "outpost-smtp" in harness.command_of(p)])[0]

    def test_in_the_middle_of_a_message(self):
        """It was stopped behind its last byte: the uncertain case, which is announced, and the mail goes on without it."""
        relay = self.start_relay(dialogue="when eod conn=1 do wait 600000; normal\n")
        self.configure(relay, minimal_backoff_time="1s", maximal_backoff_time="1s")
        service = self.start_steady()
        self.sendmail("-f", "me@example.com", "you@example.net")
        harness.wait_for("the last byte", lambda: "BDAT" in open(relay.commands).read())
        agent = self.agent(service)
        os.kill(agent, signal.SIGSTOP)
        self.later(0)       # outpostd has read all that the agent had said
        self.later(0)
        self.later(self.SILENT)
        self.assertFalse(self.log_lines("was silent"), "there is a moment of doubt")
        self.later(self.DOUBT)
        self.wait_log(r"smtp\[%d\]: error: .*was silent for \d+ s" % agent)
        self.wait_log("may be delivered twice")
        harness.wait_for("its end", lambda: agent not in harness.children(service.pid))
        self.wait_log("status=sent", timeout=20)
        self.assertEqual(relay.wait_messages(1)[0].recipients, ["you@example.net"])
        self.assertFalse(self.log_lines("status=bounced"))

    def test_one_that_only_waits(self):
        """A relay that is slow, within the time that main.cf gives it, is waited for."""
        relay = self.start_relay(dialogue="when eod do wait 14000; normal\n")
        self.configure(relay)
        service = self.start_steady()
        self.sendmail("-f", "me@example.com", "you@example.net")
        agent = self.agent(service)
        self.later(self.SILENT)
        relay.wait_messages(1, timeout=30)
        self.later(self.DOUBT)
        self.wait_log("status=sent")
        self.assertFalse(self.log_lines("was silent|deferred"))
        self.assertIn(agent, harness.children(service.pid))

    @unittest.skipUnless(test_agent.can_unshare(), "no mount namespace here to give the resolver its own resolv.conf")
    def test_in_the_name_service(self):
        """Nothing was begun, so it is the relay alone that waits; the log says what to try."""
        before = test_agent.Names.resolver(self, {("mute.test", "A"): "silence", ("mute.test", "AAAA"): "silence"}, "timeout:30 attempts:5")
        self.configure(relayhost="[mute.test]:587")
        service = self.start_steady(before)
        for _ in range(2):
            self.sendmail("-f", "me@example.com", "you@example.net")
        agent = self.agent(service)
        self.later(self.SILENT)
        self.later(self.DOUBT)
        self.assertFalse(self.log_lines("was silent"), "a name service may be slow")
        self.later(self.LOOK_UP)
        self.later(self.DOUBT)
        self.wait_log(r"\[mute.test\]:587 is down, .*was silent for \d+ s .*getent ahosts mute.test")
        harness.wait_for("its end", lambda: agent not in harness.children(service.pid))
        harness.wait_for("the commit", lambda: self.rows("SELECT failures FROM relay") == [(1,)])
        self.assertEqual(self.rows("SELECT sum(attempts) FROM recipient"), [(0,)])
        self.assertRegex(self.outpost("status", code=None).out, "getent ahosts mute.test")


class Frozen(Times):
    """A caller frozen by its cgroup, half way through a submission."""
    FREEZER = "/sys/fs/cgroup/freezer"

    def setUp(self):
        super().setUp()
        if not os.path.exists(self.FREEZER + "/cgroup.procs"):
            self.skipTest("no freezer of cgroup v1 at " + self.FREEZER)
        self.group = os.path.join(self.FREEZER, "outpost-test-%d" % os.getpid())
        try:
            os.mkdir(self.group)
        except OSError as e:
            self.skipTest("not allowed to make %s: %s" % (self.group, e))
        self.addCleanup(os.rmdir, self.group)

    def state(self, word):
        with open(self.group + "/freezer.state", "w") as f:
            f.write(word)

        def reached():
            with open(self.group + "/freezer.state") as f:
                return f.read().strip() == word
        harness.wait_for(word, reached)

    def freeze(self, argv):
        """argv, started with an open stdin, frozen as soon as it waits for it."""
        p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self.environ(),
                             preexec_fn=lambda: open(self.group + "/cgroup.procs", "w").write(str(os.getpid())))
        p.stdin.write(b"Subject: half\n\nhalf\n")
        p.stdin.flush()
        harness.wait_for("it to read", lambda: open("/proc/%d/stat" % p.pid).read().rsplit(")", 1)[1].split()[0] == "S")
        self.state("FROZEN")
        return p

    def others_go_on(self, p, relay):
        try:
            self.sendmail("-f", "me@example.com", "you@example.net")
            relay.wait_messages(1)
        finally:
            self.state("THAWED")
        p.communicate(b"and the rest\n", timeout=30 * harness.PATIENCE)
        self.assertEqual(p.returncode, 0)
        relay.wait_messages(2)
        harness.wait_for("an empty group", lambda: not open(self.group + "/cgroup.procs").read())

    def test_client_of_the_door(self):
        relay = self.start_relay()
        self.configure(relay)
        self.start_outpostd()
        self.others_go_on(self.freeze([harness.program("sendmail"), "-C", self.conf, "-f", "me@example.com", "i@example.net"]), relay)

    def test_drop(self):
        """Without a daemon: sendmail and the helper it started, both frozen."""
        self.may_leave_processes = True
        relay = self.start_relay()
        self.configure(relay)
        self.others_go_on(self.freeze([harness.program("sendmail"), "-C", self.conf, "-f", "me@example.com", "i@example.net"]), relay)


if __name__ == "__main__":
    harness.main()
