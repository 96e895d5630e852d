"""Where the judge finds what it judges, and where it lets it run.

$FAIRWAY_CORPORA is a folder with `kfp/compiled`, and $FAIRWAY_KFP_CHECKOUT a checkout of kubeflow/pipelines; without
them `shared/corpora` beside this checkout is looked at. With a checkout everything is read from there, since the
stored corpus leaves out the files that name a package index.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairway.cli import connection
from fairway.pipelines.sdk import Server
from tests.clients.kfp_checkout import VARIABLE
from tests.e2e.conftest import Installation
from tests.e2e.town import Cluster
from tests.ports import free_port

from . import objects

ROOT = Path(__file__).parents[3]
STORED = Path(os.environ.get("FAIRWAY_CORPORA", ROOT / "../shared/corpora")) / "kfp/compiled/valid"


def checkout() -> Path | None:
    """Where upstream's repository is, if it is here."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser().absolute() if named else None


def corpus() -> Path:
    """The folder of compiled pipelines; it need not exist."""
    source = checkout()
    return source / "test_data/sdk_compiled_pipelines/valid" if source else STORED


@contextmanager
def platform(data_dir: Path | None = None) -> Iterator[Server]:
    """A platform with the objects that pipelines ask for: one that runs on `data_dir`, or one of our own."""
    if data_dir is not None:
        yield _furnished(Installation(data_dir, 0))
        return
    with tempfile.TemporaryDirectory(prefix="fairway-judge-") as folder:
        own = Installation(Path(folder) / "data", free_port())
        _mirror(Path(folder) / "mirror", Path(folder) / "data")
        own.up()
        try:
            yield _furnished(own)
        finally:
            own.stop()


def _furnished(installation: Installation) -> Server:
    found: connection.Server = installation.server
    objects.create(Cluster(installation))
    return Server(found.url, found.token)


def _mirror(folder: Path, data_dir: Path) -> None:
    """What upstream's pipelines read of a public bucket, in a folder that stands for it: texts of the same names."""
    folder.mkdir()
    for name in ("shakespeare1.txt", "shakespeare2.txt"):
        (folder / name).write_text("A few words, in the place of many.\n")
    data_dir.mkdir(mode=0o700)
    (data_dir / "config.toml").write_text(f'[artifacts]\nmirrors = ["gs://ml-pipeline-playground={folder}"]\n')
