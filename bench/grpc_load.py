"""A closed loop of clients of V2 over gRPC: each sends one row of iris when it has its answer."""

import asyncio
import struct
import time

import grpc

from bench.load import Load
from bench.measuring import quantile
from fairway.serving.inpod.rpc import schema


def closed(port: int, *, clients: int, seconds: float) -> Load:
    """Raises OSError where nothing was answered."""
    return asyncio.run(_closed(port, clients, seconds))


async def _closed(port: int, clients: int, seconds: float) -> Load:
    times: list[float] = []
    errors = 0
    message = _message()
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal errors
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),)
        ) as to:
            infer = to.unary_unary(f"/{schema.SERVICE}/ModelInfer")
            while (begin := time.perf_counter()) < end:
                try:
                    await infer(message, wait_for_ready=True, timeout=30)
                    times.append(time.perf_counter() - begin)
                except grpc.aio.AioRpcError:
                    errors += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    if not times:
        raise OSError("no call was answered")
    return Load(quantile(times, 0.5), quantile(times, 0.99), len(times) / seconds, errors)


def _message() -> bytes:
    messages = schema.messages()
    tensor = messages["Tensor"](name="input-0", datatype="FP32", shape=[1, 4])
    raw = struct.pack("<4f", 6.8, 2.8, 4.8, 1.4)
    request = messages["InferRequest"](model_name="iris", inputs=[tensor], raw_input_contents=[raw])
    sent: bytes = request.SerializeToString()
    return sent
