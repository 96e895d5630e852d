"""Peers beside Fairway: a chain of 20 steps and a fan-out, each peer's run next to one of ours in time."""

import json
import subprocess
from pathlib import Path

from bench import runs, steps
from bench.measuring import Row, milliseconds
from bench.peers.places import PEERS, Peer
from bench.platform import Platform

_LIMIT = 900.0


def measure(platform: Platform) -> list[Row]:
    runs.seconds(platform, steps.chain)
    rows = []
    for peer in PEERS:
        if not peer.installed:
            rows.append(Row(f"{peer.name}", "not installed", "", "python -m bench.peers setup"))
            continue
        rows += [_row(platform, peer, "chain", steps.CHAIN), _row(platform, peer, "fan", peer.widest)]
    return rows


def _row(platform: Platform, peer: Peer, shape: str, count: int) -> Row:
    what = f"{peer.name}: a step in a {'chain' if shape == 'chain' else 'fan-out'} of {count:,}"
    ours = _ours(platform, shape, count)
    try:
        theirs, version = _theirs(peer, shape, count)
    except (subprocess.SubprocessError, ValueError) as failure:
        return Row(what, "failed", "", str(failure)[:60])
    ours = (ours + _ours(platform, shape, count)) / 2
    reference = f"{milliseconds(ours / count)}: Fairway, at the same time"
    return Row(f"{what} ({version}; {peer.mode})", milliseconds(theirs / count), "", reference, theirs / ours)


def _ours(platform: Platform, shape: str, count: int) -> float:
    if shape == "chain":
        return runs.seconds(platform, steps.chain)
    return runs.seconds(platform, steps.fan_out, {"numbers": list(range(count))})


def _theirs(peer: Peer, shape: str, count: int) -> tuple[float, str]:
    """(seconds, version)"""
    program = Path(__file__).with_name(peer.program)
    command = [str(peer.python), str(program), shape, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=True)
    said = json.loads(done.stdout[done.stdout.rindex('{"seconds"') :].splitlines()[0])
    return said["seconds"], said["version"]
