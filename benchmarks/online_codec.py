"""Packed values against DynamoDB's typed attribute maps: time to decode, and size.

Run: ``python -m benchmarks.online_codec``. It prints medians of several runs within one process, and their ratio; only
the ratio is worth comparing between machines.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from asof.manifest import Feature
from asof.online.codec import Codec

ITEMS = 100
FEATURES = 100
RUNS = 15


def median_ms(work: Callable[[], object]) -> float:
    """The median time of one call, in milliseconds, after one that does not count."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def typed_map_bytes(item: Mapping[str, Any]) -> int:
    """What DynamoDB counts for an item of numbers: names, and half a byte per digit plus one."""
    return sum(len(name) + len(value["N"].strip("-").replace(".", "")) // 2 + 2 for name, value in item.items())


def main() -> None:
    """Measures and prints."""
    values = [(i * 7919 % 10_007) / 1000 for i in range(FEATURES)]
    codec = Codec([Feature(f"feature_{i}", "Float64") for i in range(FEATURES)])
    packed = [codec.encode(values) for _ in range(ITEMS)]
    serialize = TypeSerializer().serialize
    typed = {f"feature_{i}": serialize(Decimal(str(value))) for i, value in enumerate(values)}
    maps = [dict(typed) for _ in range(ITEMS)]
    deserialize = TypeDeserializer().deserialize

    packed_ms = median_ms(lambda: [codec.decode(each) for each in packed])
    typed_ms = median_ms(lambda: [{k: float(deserialize(v)) for k, v in item.items()} for item in maps])
    plain_ms = median_ms(lambda: [{k: float(v["N"]) for k, v in item.items()} for item in maps])
    encode_ms = median_ms(lambda: [codec.encode(values) for _ in range(ITEMS)])

    print(f"{ITEMS} items of {FEATURES} floats, median of {RUNS} runs")
    print(f"  packed, decode            {packed_ms:8.3f} ms  {len(packed[0]):6} bytes per item")
    print(f"  packed, encode            {encode_ms:8.3f} ms")
    print(f"  typed map, float(N)       {plain_ms:8.3f} ms  {typed_map_bytes(typed):6} bytes per item")
    print(f"  typed map, boto3          {typed_ms:8.3f} ms")
    print(f"  boto3 / packed            {typed_ms / packed_ms:8.1f}")
    print(f"  float(N) / packed         {plain_ms / packed_ms:8.1f}")


if __name__ == "__main__":
    main()
