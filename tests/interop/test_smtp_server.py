"""nodemailer's smtp-server as the relay."""
import harness
import servers
from exchange import Exchange


class SmtpServer(Exchange):
    def start_server(self):
        return servers.SmtpServer(self)


if __name__ == "__main__":
    harness.main()
