"""The life of an outpostd: locks, signals, service managers, rights, and what it costs while nothing happens."""
import fcntl
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from flusher_case import CONTROL_MAGIC, Flusher, NOBODY, submission

OWNER = 61236       # a uid that nobody has
POLL = {"x86_64": 7}.get(os.uname().machine)    # the number of poll(2), where /proc/PID/syscall is looked at


def holds(pid, name):
    """Whether it has a file of this name open."""
    return any(os.path.basename(path) == name for path in harness.open_files(pid))


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
