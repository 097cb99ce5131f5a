"""Exim as the relay, with the limits that Debian ships."""
import exchange
import harness
import servers


class Exim(exchange.Exchange):
    flies = True

    def start_server(self):
        return servers.Exim(self)


if __name__ == "__main__":
    harness.main()
