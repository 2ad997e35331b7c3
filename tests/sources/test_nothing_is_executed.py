"""Files of weights and exported programs never run code that they bring."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from archscope.errors import InvalidInput
from archscope.sources import resolve
from archscope.sources.weights import load_weights, read_weights


class Hostile:
    """Pickled, it touches a file when it is unpickled."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self):
        return os.system, (f"touch {self.proof}",)


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    return tmp_path / "code-ran"


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt2"
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(
        nn.Linear(3, 4), (torch.zeros(2, 3),), dynamic_shapes=({0: batch},)
    )
    torch.export.save(program, path)
    return path


@pytest.mark.parametrize("by", ["torch", "pickle"])
def test_a_hostile_checkpoint_is_refused(tmp_path: Path, proof: Path, by: str) -> None:
    evil = {"weight": Hostile(proof)}
    if by == "torch":
        torch.save(evil, tmp_path / "evil.pt")
    else:
        (tmp_path / "evil.pt").write_bytes(pickle.dumps(evil))
    with pytest.raises(InvalidInput, match="refused"):
        read_weights(tmp_path / "evil.pt")
    assert not proof.exists()


def test_a_pickle_that_calls_itself_an_exported_program_is_refused(
    tmp_path: Path, proof: Path
) -> None:
    path = tmp_path / "evil.pt2"
    path.write_bytes(pickle.dumps(Hostile(proof)))
    with pytest.raises(InvalidInput, match="not an archive"):
        resolve(str(path))
    assert not proof.exists()


def test_an_exported_program_with_symbolic_sizes_is_read(exported: Path) -> None:
    assert resolve(str(exported)).inputs[0].shape == (2, 3)


def _rewritten(path: Path, change) -> Path:
    """The archive with each member's bytes changed by ``change(name, content)``."""
    members = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(members, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    path.write_bytes(members.getvalue())
    return path


def test_hostile_inputs_of_an_exported_program_are_refused(exported: Path, proof: Path) -> None:
    evil = io.BytesIO()
    torch.save(((Hostile(proof),), {}), evil)
    _rewritten(exported, lambda name, old: evil.getvalue() if "sample_inputs" in name else old)
    with pytest.raises(InvalidInput, match="refused"):
        resolve(str(exported))
    assert not proof.exists()


def test_hostile_weights_of_an_exported_program_are_refused(exported: Path, proof: Path) -> None:
    evil = io.BytesIO()
    torch.save(Hostile(proof), evil)

    def change(name: str, old: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            return old.replace(b'"use_pickle": false', b'"use_pickle": true')
        return evil.getvalue() if name.rpartition("/")[2].startswith("weight_") else old

    _rewritten(exported, change)
    with pytest.raises(InvalidInput, match="refused"):
        resolve(str(exported))
    assert not proof.exists()


@pytest.mark.parametrize(
    "function", ["torch.os.system", "torch.hub.load", "_operator.methodcaller", "torch.load"]
)
def test_a_graph_that_calls_anything_but_operators_is_refused(exported: Path, function) -> None:
    def change(name: str, old: bytes) -> bytes:
        return old.replace(b"torch.ops.aten.linear.default", function.encode())

    _rewritten(exported, change)
    with pytest.raises(InvalidInput, match="graph calls"):
        resolve(str(exported))


@pytest.mark.parametrize(
    "expression", ["__import__('os').getpid()", "eval(chr(49))", "().__class__", "s0.real"]
)
def test_a_size_that_is_no_arithmetic_is_refused(exported: Path, expression: str) -> None:
    def change(name: str, old: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return old
        content = json.loads(old)
        _replace_expressions(content, expression)
        return json.dumps(content).encode()

    _rewritten(exported, change)
    with pytest.raises(InvalidInput, match="graph calls"):
        resolve(str(exported))


def _replace_expressions(value, expression: str) -> None:
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _replace_expressions(item, expression)
    if isinstance(value, dict) and "expr_str" in value:
        value["expr_str"] = expression


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_are_read_and_given_to_a_model_without_memory(tmp_path: Path, suffix: str) -> None:
    source = nn.Linear(3, 4)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": source.state_dict()}, path)
    else:
        pytest.importorskip("safetensors")
        from safetensors.torch import save_file

        save_file(source.state_dict(), path)
    model = load_weights(nn.Linear(3, 4, device="meta"), path)
    assert torch.equal(model.weight, source.weight)
    with pytest.raises(InvalidInput, match="does not fit"):
        load_weights(nn.Linear(3, 5, device="meta"), path)
