"""Attacks: guessing whom others write to. Mallory, an ordinary user, sees that somebody's mail waits, and may have the queue run; gained:
a recipient's address, letter by letter, from which mail was moved."""
import json

import attack
import harness


class Guessing(attack.Attack):
    def setUp(self):
        super().setUp()
        self.site(relayhost="[mail.example.com]:588", relay=False)
        self.outpostd()
        self.mail("victim@example.net", uid=attack.BOB)
        self.mail("mine@example.net", uid=attack.MALLORY)
        harness.wait_for("both to be deferred", lambda: all(r[1] > 0 for r in self.times()) or self.log_lines("Connection refused"))
        self.before = self.times()

    def times(self):
        return self.there_rows("SELECT recipient.address, recipient.next, recipient.attempts, message.due FROM recipient"
                               " JOIN message ON message.id = recipient.message ORDER BY 1")

    def there_rows(self, sql):
        done = self.type("python3 -c 'import sqlite3,json,sys; print(json.dumps(sqlite3.connect(\"file:/var/spool/outpost/queue.db?mode=ro\","
                         "uri=True).execute(sys.argv[1]).fetchall()))' '%s'" % sql)
        return [tuple(r) for r in json.loads(done.out)]

    def masked(self):
        """What Mallory is shown of Bob's message."""
        return next(m for m in map(json.loads, self.type("mailq -j", uid=attack.MALLORY).out.splitlines()) if m["uid"] == attack.BOB)

    def of_victim(self, rows):
        return [r for r in rows if r[0].startswith("victim")]

    def test_nothing_moves(self):
        """By recipient, by sender, by id, and by what they are not."""
        for option in ("-qRvictim", "-qSbob", "-qI" + self.masked()["queue_id"], "-q!Rnobody", "-q!Snobody", "-q!Inobody"):
            self.type("sendmail " + option, uid=attack.MALLORY, code=None)
            self.assertEqual(self.of_victim(self.times()), self.of_victim(self.before), option)

    def test_ones_own_moves(self):
        self.type("sendmail -qRmine", uid=attack.MALLORY)
        harness.wait_for("one's own to be tried", lambda: [r for r in self.times() if r[0].startswith("mine")] !=
                         [r for r in self.before if r[0].startswith("mine")])

    def test_no_times_are_shown(self):
        shown = json.dumps(self.masked())
        for word in ("next_attempt", "attempts", "victim"):
            self.assertNotIn(word, shown)

    def test_how_it_ends_says_nothing(self):
        """The same words and the same status, whether something fits or not."""
        answers = {(d.returncode, d.out) for d in (self.type("sendmail -qR" + text, uid=attack.MALLORY, code=None)
                                                   for text in ("victim", "nobody-has-this"))}
        self.assertEqual(len(answers), 1, answers)


if __name__ == "__main__":
    harness.main()
