"""Attacks: limits per user where a person has many uids. Mallory has subordinate uids, as every account has on most systems, and processes
under each; gained: all places at the door, or of the drop, and nobody else's mail is taken."""
import subprocess
import time

import attack
import harness

SUBUIDS = range(200000, 200008)


class Persons(attack.Holding):
    def test_all_places_of_the_door(self):
        self.outpostd()
        for uid in SUBUIDS:
            self.hold(uid, 50)
        self.fair(self.latencies(10))

    def test_all_places_of_the_door_by_eight_persons(self):
        """Who conspire: none holds more than a share, all together hold every place, and the line as well."""
        for name in ("subuid", "subgid"):
            self.write("/etc/" + name, "")
        self.outpostd()
        for uid in range(61000, 61008):
            self.hold(uid, 100)
        self.fair(self.latencies(5))

    def test_a_person_is_one(self):
        """Subordinate uids share the places of the account that they belong to; another's are another's."""
        self.outpostd()
        for uid in SUBUIDS[:2]:
            self.hold(uid, 30)
        bob = self.latencies(1)
        self.assertGreater(self.mail("you@example.net", uid=SUBUIDS[2]).seconds, 0.5)   # until one of theirs is refused
        self.fair(bob)

    def test_processes_of_the_drop(self):
        """Each is a process of outpost's, and has a file and memory."""
        drops = []
        for _ in range(300):
            process = self.popen(attack.HELPERS + "/outpost-drop", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            process.stdin.write(b"OUTPOST1")
            process.stdin.flush()
            drops.append(process)
        begin = time.monotonic()
        self.drop(attack.submission(), uid=attack.BOB)
        self.assertLess(time.monotonic() - begin, 3 * harness.PATIENCE)
        harness.wait_for("a person to have few of them", lambda: self.alive(drops) <= 64, 5)
        harness.wait_for("those who say nothing to be gone", lambda: self.alive(drops) == 0, 20)

    def alive(self, processes):
        return sum(p.poll() is None for p in processes)

    def test_slow_drops(self):
        """A byte now and then keeps none of them for long, when others wait for a place."""
        drops = [self.popen(attack.HELPERS + "/outpost-drop", uid=uid, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
                 for uid in SUBUIDS for _ in range(40)]
        end = time.monotonic() + 30 * harness.PATIENCE
        taken = False
        while time.monotonic() < end and not taken:
            for p in drops:
                try:
                    p.stdin.write(b"O")
                    p.stdin.flush()
                except OSError:
                    pass
            taken = self.drop(attack.submission(), uid=attack.BOB, code=None).returncode == 0 and self.alive(drops) <= 64
            time.sleep(1)
        self.assertTrue(taken, "%d of Mallory's are still there" % self.alive(drops))


if __name__ == "__main__":
    harness.main()
