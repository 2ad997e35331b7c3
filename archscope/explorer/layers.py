"""The layer tables of all networks, packed: what 1,500 networks need must fit a page of 5 MB."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput
from archscope.explorer.networks import plain

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("path", "kind", "input_shape", "output_shape")
COUNTS = ("call", "params", "macs", "flops", "activations", "output_bytes")
SHOWN = (*TEXTS, *COUNTS)
_TABLES_IN_A_PACK = 64  # enough that names repeat, few enough that a click unpacks in a blink


@dataclass(frozen=True, slots=True)
class Packed:
    """Layer tables by row of the comparison.

    Attributes:
        packs: JSON, compressed and in base64: ``words``; the different ``layers`` in ``columns``,
            of which those that are ``texts`` are numbers of words; ``tables``, by row the ``path``
            of each layer call as a word, and its ``layer`` by number.
        pack_of: for each row of the comparison the pack of its table, -1 where it has none.
        table_of: for each row the row under which its table is filed.
    """

    packs: tuple[str, ...]
    pack_of: tuple[int, ...]
    table_of: tuple[int, ...]


def pack(models: Sequence[str], layers: Mapping[str, pd.DataFrame]) -> Packed:
    """Pack the layer tables of the networks.

    A network with several rows, such as one per batch size, has one table: that of its first row.

    Args:
        models: of each row of the comparison.
        layers: by model its layers, a row per layer call, as ``Report.layers`` has them.

    Raises:
        InvalidInput: a table without ``path`` or ``kind``, or of a model that is not compared.
    """
    strangers = sorted(set(layers) - set(models))
    if strangers:
        raise InvalidInput(f"there are layers of '{strangers[0]}', which is not in the comparison")
    first = {model: row for row, model in reversed(list(enumerate(models)))}
    filed = [
        row for model, row in sorted(first.items(), key=lambda item: item[1]) if model in layers
    ]
    packs: list[str] = []
    pack_by_row: dict[int, int] = {}
    for start in range(0, len(filed), _TABLES_IN_A_PACK):
        chosen = filed[start : start + _TABLES_IN_A_PACK]
        pack_by_row |= dict.fromkeys(chosen, len(packs))
        packs.append(_compressed({row: layers[models[row]] for row in chosen}))
    table_of = tuple(first[model] for model in models)
    return Packed(tuple(packs), tuple(pack_by_row.get(row, -1) for row in table_of), table_of)


def _compressed(tables: Mapping[int, pd.DataFrame]) -> str:
    words: dict[str, int] = {"": 0}
    layers: dict[tuple[Any, ...], int] = {}
    columns = tuple(dict.fromkeys(name for table in tables.values() for name in _shown(table)))
    coded = {str(row): _coded(table, columns, words, layers) for row, table in tables.items()}
    texts = [name in TEXTS for name in columns]
    content = {
        "words": list(words),
        "columns": columns,
        "texts": texts,
        "layers": [list(column) for column in zip(*layers, strict=True)],
        "tables": coded,
    }
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _shown(table: pd.DataFrame) -> list[str]:
    for needed in ("path", "kind"):
        if needed not in table.columns:
            raise InvalidInput(f"a table of layers needs a column '{needed}'")
    names = map(str, table.columns)
    return [n for n in names if n != "path" and (n in SHOWN or n.endswith("_ms"))]


def _coded(
    table: pd.DataFrame,
    columns: Sequence[str],
    words: dict[str, int],
    layers: dict[tuple[Any, ...], int],
) -> dict[str, list[int]]:
    """The paths as words; all else by number, since blocks repeat within and across networks."""
    values = []
    for name in columns:
        column = plain(table[name]) if name in table.columns else [None] * len(table)
        values.append([_word(value, words) for value in column] if name in TEXTS else column)
    return {
        "path": [_word(path, words) for path in plain(table["path"])],
        "layer": [layers.setdefault(layer, len(layers)) for layer in zip(*values, strict=True)],
    }


def _word(value: Any, words: dict[str, int]) -> int:
    return words.setdefault("" if value is None else str(value), len(words))
