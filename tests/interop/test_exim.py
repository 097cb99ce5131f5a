"""Exim as the relay, with the limits that Debian ships."""
import harness
import servers
from exchange import Exchange


class Exim(Exchange):
    def start_server(self):
        return servers.Exim(self)


if __name__ == "__main__":
    harness.main()
