"""nodemailer's smtp-server as the relay."""
import exchange
import harness
import servers


class SmtpServer(exchange.Exchange):
    def start_server(self):
        return servers.SmtpServer(self)


if __name__ == "__main__":
    harness.main()
