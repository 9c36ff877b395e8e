"""Run in ZigZag's own environment: its ResNet-18 on its ``tpu_like`` (32x32) design, both shipped, for latency.

Prints one JSON document last. ZigZag writes its results to the folder that it is given.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import zigzag
from zigzag.api import get_hardware_performance_zigzag

inputs, folder = Path(zigzag.__file__).parent / "inputs", Path(sys.argv[1])
wall, cpu = time.perf_counter(), time.process_time()
get_hardware_performance_zigzag(
    workload=str(inputs / "workload" / "resnet18.onnx"),
    accelerator=str(inputs / "hardware" / "tpu_like.yaml"),
    mapping=str(inputs / "mapping" / "tpu_like.yaml"),
    opt="latency",
    dump_folder=str(folder),
    pickle_filename=str(folder / "found.pickle"),
)
print()
print(
    json.dumps(
        {
            "wall_seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "version": version("zigzag-dse"),
        }
    )
)
