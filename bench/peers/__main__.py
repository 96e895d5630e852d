"""`python -m bench.peers setup [NAME...]` installs the peers; `python -m bench peers servers` measures them."""

import argparse

from bench.peers.places import PEERS, set_up
from bench.peers.servers import SERVERS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("verb", choices=["setup", "list"])
    every = (*PEERS, *SERVERS)
    names = [peer.name for peer in every]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(names)} (default: all)")
    options = parser.parse_args()
    for peer in every:
        if options.names and peer.name not in options.names:
            continue
        if options.verb == "setup":
            set_up(peer)
        else:
            print(f"{peer.name}: {'installed' if peer.installed else 'not installed'}")


if __name__ == "__main__":
    main()
