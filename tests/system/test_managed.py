"""Under a service manager that keeps the door: whatever else is done on the machine, the door stays its own, and outpostd
is started by it alone. And on a host where nothing makes the door's directory at boot. (The units themselves are
tried by make check-systemd.)"""
import contextlib
import os
import select
import socket
import sqlite3
import threading

import harness

ACTIVATED = 'exec 3<&%d; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=door; exec "$0" "$@"'


class Manager(threading.Thread):
    """Listens at the door; starts outpostd with it when somebody knocks and none is running."""

    def __init__(self, test, path):
        super().__init__(daemon=True)
        self.test, self.started, self.current = test, 0, None
        self.over = threading.Event()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.listen(50)
        open(os.path.join(os.path.dirname(path), "managed"), "w").close()
        test.addCleanup(self.stop)

    def run(self):
        while not self.over.is_set():
            if self.current and self.current.alive():
                self.over.wait(0.01)
            elif select.select([self.socket], [], [], 0.02)[0] and not self.over.is_set():
                fd = self.socket.fileno()
                self.current = self.test.start("/bin/sh", "-c", ACTIVATED % fd, harness.program("outpostd"), "-C", self.test.conf, "-f",
                                               pass_fds=(fd,), log=os.path.join(self.test.tmp, "outpostd.log"))
                self.started += 1

    def stop(self):
        self.over.set()
        if self.is_alive():
            self.join()
        self.socket.close()


class Managed(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp", "outpost-drop", "relay")

    def setUp(self):
        super().setUp()
        self.relay = self.start_relay()
        os.mkdir(os.path.join(self.tmp, "run"))
        self.door = os.path.join(self.tmp, "run", "door")
        self.configure(self.relay, door_socket=self.door)

    def manage(self):
        self.manager = Manager(self, self.door)
        self.place = os.stat(self.door).st_ino
        self.manager.start()

    def leave(self):
        """The flusher is stopped; the manager's socket stays, as with `systemctl stop outpost.service`."""
        self.was_started(1)
        self.manager.current.stop()
        self.assertEqual(self.manager.current.process.returncode, 0)

    def was_started(self, times):
        """It may have answered before the manager is back from starting it."""
        harness.wait_for("the manager", lambda: self.manager.started >= times)
        self.assertEqual(self.manager.started, times)

    def queue_one(self):
        self.sendmail("-odq", "you@example.net")
        self.leave()

    def door_is_kept(self):
        self.assertEqual(os.stat(self.door).st_ino, self.place)
        self.assertTrue(self.door_answers(self.door))

    def test_flush_knocks(self):
        self.manage()
        self.queue_one()
        self.assertIn("1 sent", self.outpost("flush").out)
        self.relay.wait_messages(1)
        self.was_started(2)
        self.door_is_kept()

    def test_errands_leave_the_door_alone(self):
        """Edits, and a one-shot flusher where nobody answers the knock."""
        self.manage()
        self.queue_one()
        self.manager.stop()             # the name stays, nobody listens: the drop
        self.sendmail("-odq", "me@example.net")
        self.assertTrue(os.path.exists(self.door))
        queue_id = next(m["queue_id"] for m in self.queue() if "me@example.net" in str(m))
        self.outpost("hold", queue_id)
        self.assertEqual(os.stat(self.door).st_ino, self.place)
        self.outpost("flush")
        self.relay.wait_messages(1)
        self.assertEqual(os.stat(self.door).st_ino, self.place)

    def test_no_second_outpostd(self):
        self.manage()
        done = self.run_program("outpostd", "-C", self.conf, "-f", code=os.EX_UNAVAILABLE)
        self.assertIn("the service manager has the door", done.err)
        self.door_is_kept()

    def test_told_at_once_when_outpostd_cannot_start(self):
        """What a later start may mend (here: a queue of another version) is no reason to let anybody wait at the door."""
        self.manage()
        self.queue_one()
        self.set_version("user_version + 90")
        for done in (self.sendmail("you@example.net", code=os.EX_TEMPFAIL), self.mailq(code=os.EX_TEMPFAIL)):
            self.assertIn("the queue is of version 9", done.err)
            self.assertEqual(done.err.count("\n"), 1, done.err)
        self.set_version("user_version - 90")
        self.door_is_kept()
        harness.wait_for("one to be taken", lambda: self.sendmail("me@example.net", code=None).returncode == 0)
        self.relay.wait_messages(1)

    def set_version(self, expression):
        with contextlib.closing(sqlite3.connect(os.path.join(self.queue_dir, "queue.db"), timeout=30)) as db:
            version, = db.execute("SELECT %s FROM pragma_user_version" % expression).fetchone()
            db.execute("PRAGMA user_version = %d" % version)

    def test_without_the_directory_of_the_door(self):
        """As after a boot where nothing makes /run/outpost: the drop takes the mail, and it goes out."""
        os.rmdir(os.path.dirname(self.door))
        self.sendmail("you@example.net")
        self.relay.wait_messages(1)
        self.wait_log("cannot listen at .*/run/door: No such file or directory; mail goes by way of outpost-drop")
        self.outpost("flush")


if __name__ == "__main__":
    harness.main()
