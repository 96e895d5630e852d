"""The pipeline as its author compiled it: KFP's intermediate representation, loaded and checked.

`load` turns the documents into the frozen values of `model`; after it, nothing looks at the documents again.
Pure: no network, disk, clock. What we do not run is refused here, by name, before anything starts.
"""

from fairway.pipelines.ir.load import load
from fairway.pipelines.ir.model import InvalidPipeline, Pipeline

__all__ = ["InvalidPipeline", "Pipeline", "load"]
