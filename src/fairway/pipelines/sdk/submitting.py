"""Submitting: the work of the unmodified `kfp.Client`, told in our sentences. Needs the extra `fairway[pipelines]`."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.pipelines.sdk import values
from fairway.pipelines.sdk.failures import NO_KFP, Failure, NoAnswer, said, told
from fairway.pipelines.sdk.wire import Api


def client(api: Api) -> Any:
    """The unmodified kfp.Client of this server."""
    try:
        import kfp  # noqa: PLC0415 - an optional dependency
    except ImportError as missing:
        raise Failure(NO_KFP) from missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it warns of servers older than any of ours
        return kfp.Client(host=api.url, existing_token=api.token)


def submit(
    api: Api,
    pipeline: Any,
    arguments: Mapping[str, Any] | None = None,
    *,
    run_name: str = "",
    experiment: str = "",
    caching: bool | None = None,
) -> str:
    """Start a run of a pipeline function or of a compiled file, and give its id. Raises Failure."""
    kfp = client(api)
    import kfp_server_api  # noqa: PLC0415 - comes with kfp

    options: dict[str, Any] = {
        "arguments": values.sent(arguments),
        "run_name": run_name or None,
        "experiment_name": experiment or None,
        "enable_caching": caching,
    }
    # The client prints links; whoever calls us says what is to be said.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            if isinstance(pipeline, str | Path):
                result = kfp.create_run_from_pipeline_package(str(pipeline), **options)
            else:
                result = kfp.create_run_from_pipeline_func(pipeline, **options)
        except kfp_server_api.ApiException as refused:
            raise Failure(told(refused.body, str(refused))) from refused
        except OSError as problem:
            raise NoAnswer(f"the pipeline cannot be submitted: {problem}; see `fairway status`") from problem
        except Exception as wrong:
            # kfp reads the file and compiles the function here; what it raises is of many kinds, and about both.
            name = pipeline if isinstance(pipeline, str | Path) else getattr(pipeline, "name", "the pipeline")
            raise Failure(f"{name} is not a pipeline that can be submitted: {said(wrong)}") from wrong
    return str(result.run_id)
