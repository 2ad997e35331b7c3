"""One tool in a process of its own, since tools patch torch, and some of them never undo it.

python -m archscope.audit.worker REQUEST    (JSON in, a line of JSON out)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

TIMEOUT_S = 120


def counted(name: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a tool counts, as a ``Count``'s dictionary, or ``{"error": why there is no count}``."""
    command = [sys.executable, "-m", "archscope.audit.worker", json.dumps({**request, "by": name})]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {TIMEOUT_S} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["the process died"])[-1]}
    return json.loads(lines[-1])


def main(text: str) -> None:
    """Count, and print the answer."""
    import torch

    from archscope.audit.counters import COUNTERS, counter, silence
    from archscope.errors import ArchscopeError
    from archscope.sources import resolve
    from archscope.sources.code import called_with
    from archscope.trace.inputs import on_cpu, on_meta

    request = json.loads(text)
    name = request["by"]
    on_shapes = COUNTERS[name][1] == "meta"
    prepare = on_meta if on_shapes else on_cpu
    try:
        with silence(), torch.no_grad():
            count = counter(name)
            torch.manual_seed(0)
            subject = resolve(
                request["reference"],
                batch=request["batch"] or 1,
                input=request["input"],
                options=request["options"],
                real=not on_shapes,
            )
            subject = called_with(subject, request["inputs"], request["batch"])
            model = subject.model.eval()
            if on_shapes:
                model = model.to("meta")
            args = tuple(map(prepare, subject.inputs))
            kwargs = {key: prepare(value) for key, value in subject.kwargs.items()}
            answer = asdict(count(model, args, kwargs))
    except ArchscopeError as error:
        answer = {"error": str(error)}
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        answer = {"error": f"{type(error).__name__}: {line}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
