"""The store of a study from 10^3 to 10^6 cells, and what reads it: parts of `scale`.

Two grids that are hard in different ways: **zoo** has the 1,492 networks of torchvision and timm at
more and more batch sizes, **hub** a network of its own, with a configuration file of its own, for
every setting. Every cell gets the recorded result of a real network, through the driver and its
store; only the network's run is left out. Each measurement is a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archscope.explorer.networks import MOST_ROWS
from benchmarks.resumable import Rows

SIZES = (1_000, 10_000, 100_000, 1_000_000)  # cells
EXPORTED = (1_000, 10_000, 100_000)  # rows of an export, each of three cells
ANALYSES = 3
LEFT = 900  # cells that an interrupt leaves to be done
RECORDED = 60  # networks whose results are recorded
_ROOT = Path(__file__).parent.parent


def store_rows(rows: Rows, place: Path, sizes: tuple[int, ...]) -> None:
    """Measure planning, writing, resuming and asking at every size."""
    for size in sizes:
        for shape in ("zoo", "hub"):
            name = {"part": "store", "case": shape, "size": size, "round": 1}
            if not rows.has(**name):
                rows.add(name | _store_row(place, shape, size))


def _store_row(place: Path, shape: str, size: int) -> dict[str, Any]:
    store, grid, recorded = place / f"{shape}.db", place / f"{shape}.json", _recorded(place)
    _remove(store)
    cells = write_grid(grid, shape, size)
    asked = {"store": str(store), "grid": str(grid), "recorded": str(recorded)}
    filled = driver("fill", **asked, most=max(cells - LEFT, 1), directory=place)
    status = command(place, "study", "status", store.name)
    resumed = driver("resume", store=str(store), recorded=str(recorded), directory=place)
    nothing = command(place, "study", "resume", store.name)
    found = {
        "cells": cells,
        "plan_s": filled["to_first_task_s"],
        "plan_cpu_s": filled["to_first_task_cpu_s"],
        "write_s": filled["rest_s"],
        "write_cpu_s": filled["rest_cpu_s"],
        "written": filled["cells_written"],
        "driver_bytes": filled["driver_bytes"],
        "driver_peak_bytes": filled["driver_peak_bytes"],
        "resume_s": resumed["to_first_task_s"],
        "resume_cpu_s": resumed["to_first_task_cpu_s"],
        "resume_peak_bytes": resumed["driver_peak_bytes"],
        "resume_nothing_s": nothing["wall_s"],
        "status_s": status["wall_s"],
        "store_bytes": store.stat().st_size,
        **about(),
    }
    _remove(store)
    return found


def export_rows(rows: Rows, place: Path, sizes: tuple[int, ...]) -> None:
    """Measure exports, opening them, and the pages made of a store."""
    for size in sizes:
        name = {"part": "export", "case": "zoo", "size": size, "round": 1}
        if not rows.has(**name):
            rows.add(name | _export_row(place, size))


def _export_row(place: Path, size: int) -> dict[str, Any]:
    store, grid, recorded = place / "export.db", place / "export.json", _recorded(place)
    _remove(store)
    cells = write_grid(grid, "zoo", ANALYSES * size)
    asked = {"store": str(store), "grid": str(grid), "recorded": str(recorded)}
    driver("fill", **asked, most=None, directory=place)
    found: dict[str, Any] = {"rows": cells // ANALYSES}
    for ending in ("csv", "parquet"):
        file = place / f"export.{ending}"
        taken = command(place, "study", "export", store.name, file.name)
        found |= {
            f"export_{ending}_s": taken["wall_s"],
            f"export_{ending}_peak_bytes": taken["peak_bytes"],
            f"{ending}_bytes": file.stat().st_size,
            f"open_{ending}_s": opened(file, found["rows"]),
        }
        file.unlink()
    found["store_bytes"] = store.stat().st_size
    if found["rows"] <= MOST_ROWS:
        page = place / "export.html"
        taken = command(place, "explore", "--from", store.name, "-o", page.name)
        found |= {
            "explore_s": taken["wall_s"],
            "explore_peak_bytes": taken["peak_bytes"],
            "html_bytes": page.stat().st_size,
        }
        page.unlink()
    _remove(store)
    return found | about()


# -- grids of any size -----------------------------------------------------------------------------


def write_grid(path: Path, shape: str, size: int) -> int:
    """Write a grid of about so many cells; how many it has."""
    settings = -(-size // ANALYSES)
    if shape == "hub":
        models = [f"hf:{file}" for file in _configurations(path.parent / "hub", settings)]
        batch = [1]
    else:
        from archscope.sources import expand

        models = expand(("torchvision:*", "timm:*"))[:settings]
        batch = list(range(1, -(-settings // len(models)) + 1))
    path.write_text(json.dumps({"models": models, "batch": batch}), encoding="utf-8")
    return ANALYSES * len(models) * len(batch)


def drawn(count: int) -> list[str]:
    """So many networks of timm, drawn by chance."""
    from archscope.sources import expand

    names = expand(("timm:*",))
    random.Random(0).shuffle(names)
    return names[:count]


def _configurations(place: Path, count: int) -> Iterator[str]:
    """So many files of configurations, of the size of BERT's, no two alike."""
    for number in range(count):
        file = place / f"{number // 1000:03d}" / f"{number % 1000:03d}" / "config.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(_BERT | {"vocab_size": 1000 + number}, indent=2))
        yield str(file.relative_to(place.parent))


_BERT = {
    "architectures": ["BertForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "use_cache": True,
}


def _recorded(place: Path) -> Path:
    """The results of a real study of networks drawn by chance, carried out at first use."""
    from benchmarks.scale_driver import record

    path = place / "recorded.json"
    if not path.exists():
        store = place / "recorded.db"
        _remove(store)
        models = ",".join(drawn(RECORDED))
        command(place, "study", "run", "--models", models, "--workers", "1", "-o", store.name)
        record(store, path)
        _remove(store)
    return path


# -- processes -------------------------------------------------------------------------------------


def driver(action: str, *, directory: Path, **arguments: Any) -> dict[str, Any]:
    """What ``benchmarks.scale_driver`` measured."""
    done = subprocess.run(
        command_of(action, arguments),
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def command_of(action: str, arguments: Mapping[str, Any]) -> list[str]:
    """How a driver is started."""
    return [sys.executable, "-m", "benchmarks.scale_driver", action, json.dumps(arguments)]


def environment() -> dict[str, str]:
    """Of a process that starts anywhere and imports ``archscope`` and ``benchmarks`` from here."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return dict(os.environ) | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def command(directory: Path, *arguments: str) -> dict[str, Any]:
    """Seconds and peak memory of an ``archscope`` command."""
    return driver("command", arguments=arguments, directory=directory)


_OPEN = """
import sys, time, warnings
import pandas as pd
warnings.simplefilter("ignore")  # of texts beside empty fields
read = pd.read_csv if sys.argv[1].endswith(".csv") else pd.read_parquet
read(sys.argv[2])  # a small file: what is imported at first use
began = time.perf_counter()
frame = read(sys.argv[1])
print(time.perf_counter() - began, len(frame))
"""


def opened(file: Path, rows: int) -> float:
    """Seconds that pandas takes to read an export, once it is imported."""
    import pandas as pd

    small = file.with_name(f"small{file.suffix}")
    table = pd.DataFrame({"model": ["none"]})
    table.to_csv(small) if file.suffix == ".csv" else table.to_parquet(small)
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(file), str(small)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    small.unlink()
    seconds, count = done.stdout.split()
    assert int(count) == rows, (count, rows)
    return float(seconds)


def about() -> dict[str, Any]:
    """The conditions of a row."""
    from datetime import UTC, datetime

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
    }


def _remove(store: Path) -> None:
    for ending in ("", "-wal", "-shm", "-lock"):
        store.with_name(store.name + ending).unlink(missing_ok=True)
