"""Dovecot's submission server as the relay."""
import exchange
import harness
import servers


class DovecotSubmission(exchange.Exchange):
    flies = True

    def start_server(self):
        return servers.DovecotSubmission(
            self, extra="smtpd_recipient_restrictions = check_recipient_access inline:{refused@example.net=REJECT}\n")


if __name__ == "__main__":
    harness.main()
