"""main.cf and its maps change while outpostd runs."""
import os
import signal

import harness
from flusher_case import Flusher


class Reload(Flusher):
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


if __name__ == "__main__":
    harness.main()
