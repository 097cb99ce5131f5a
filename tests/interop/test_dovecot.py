"""Dovecot's submission server as the relay."""
import harness
import servers
from exchange import Exchange


class DovecotSubmission(Exchange):
    def start_server(self):
        return servers.DovecotSubmission(
            self, extra="smtpd_recipient_restrictions = check_recipient_access inline:{refused@example.net=REJECT}\n")


if __name__ == "__main__":
    harness.main()
