"""A queue that an older version left, with mail in every state, goes on in this one."""
import os
import sqlite3
import time
import unittest

import harness

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")


class Upgrade(harness.SystemTest):
    needs = ("sendmail", "outpostd", "outpost", "outpost-smtp")

    def test_version_2(self):
        relay = self.start_relay()
        self.configure(relay)
        os.makedirs(self.queue_dir, mode=0o700, exist_ok=True)
        path = os.path.join(self.queue_dir, "queue.db")
        base = sqlite3.connect(path)
        with open(os.path.join(DATA, "queue_v2.sql"), encoding="utf-8") as script:
            base.executescript(script.read())
        by = int((time.time() - 3600) * 1e6) - base.execute("SELECT min(arrival) FROM message").fetchone()[0]
        base.executescript("UPDATE message SET arrival = arrival + %d, due = due + %d, done = done + %d;"
                           "UPDATE recipient SET next = next + %d, last = last + %d;" % ((by,) * 5))
        base.close()
        os.chmod(path, 0o600)
        refused = self.outpost("queue", code=None)
        self.assertRegex(refused.out + refused.err, "older version 2")
        self.outpost("flush")
        messages = relay.wait_messages(4, timeout=30)
        self.assertEqual(sorted(m.data.split(b"\n")[-2].strip() for m in messages if m.sender),
                         [b"body of deferred", b"body of mixed", b"body of new"])
        self.assertEqual(sum(len(m.recipients) for m in messages), 5)
        self.wait_log(r"outpostd\[\d+\]: done")
        self.assertEqual(self.rows("SELECT state, count(*) FROM message WHERE state IN ('q', 'h', 'f') GROUP BY state"),
                         [("f", 3), ("h", 1)])
        self.assertEqual(self.rows("PRAGMA user_version"), [(3,)])
        self.assertIn("ok    queue", self.outpost("check", "--offline").out)
        held, = self.queue()
        self.outpost("release", held["queue_id"])
        self.outpost("flush")
        self.assertIn(b"body of held", relay.wait_messages(5, timeout=30)[-1].data)


if __name__ == "__main__":
    unittest.main()
