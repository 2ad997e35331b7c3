"""The key of a command's output: everything that shapes it but the files that its run will read."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from archscope.cache.files import FINDERS_MARK, importable, stamps
from archscope.cache.place import DIRECTORY, OFF, SIZE
from archscope.study.keys import dependencies, digest, own_files, version

_FORM = 2  # of entries; another one makes all earlier ones unknown
_PACKAGES = (
    *("torch", "numpy", "pandas", "rich", "click"),
    *("torchvision", "timm", "transformers"),
)
_LISTED = ("timm", "torchvision")
# Variables that some package, or the terminal's colours, may heed.
_HEEDED = (
    *("TORCH", "PYTORCH", "ATEN", "TIMM", "HF_", "TRANSFORMERS", "CUDA", "OMP_", "MKL_", "XDG_"),
    *("LANG", "LC_", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_", "PYTHONWARNINGS"),
)
# Variables that change from shell to shell, or say only how this process is watched.
_IDLE = (
    *("_", "SHLVL", "PWD", "OLDPWD", "WINDOWID", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE"),
    *("PYTHONDONTWRITEBYTECODE", "PYTEST_CURRENT_TEST", DIRECTORY, SIZE, OFF),
)


def key(command: str, given: Mapping[str, Any], references: Sequence[str]) -> str:
    """What stands for a command's options, the versions of all that it runs, and its surroundings.

    Args:
        command: its name.
        given: its options, those of the output resolved: format, width, colour.
        references: the networks, and the functions that make inputs, as ``archscope.sources``
            has them.

    A person's own code may heed any variable of the environment, its directory, and whether any
    package is installed; the networks of the zoo, torchvision and timm only a few.
    """
    own = not all(map(_is_listed, references))
    return digest(
        {
            "form": _FORM,
            "command": command,
            "given": {name: repr(value) for name, value in given.items()},
            "references": {name: dependencies(name) for name in references},
            "packages": {name: installed(name) for name in _PACKAGES},
            "archscope": sources(),
            "python": [sys.version, sys.prefix, sys.flags.optimize],
            "machine": [platform.machine(), os.cpu_count()],
            "warnings": sys.warnoptions,
            "streams": [[s.encoding, s.errors, s.isatty()] for s in (sys.stdout, sys.stderr)],
            "environment": dict(_environment(own)),
            "modules": [
                [place, importable(place, namespaces=own)] for place in _own_places(references)
            ],
            "installed": stamps(p for p in sys.path if _is_of_packages(p)) if own else "",
            "folder": os.getcwd() if own else "",
        }
    )


def installed(package: str) -> list[Any]:
    """A package's version and which of several installations it is; nothing is imported.

    torch's own file says how it was built, which its metadata may not.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    files = [origin, origin.with_name("version.py")]
    return [version(package), stamps(files)]


def sources() -> str:
    """archscope's own files, by size and time: also one that is being worked on is never stale."""
    return stamps(sorted(own_files()))


def _is_listed(reference: str) -> bool:
    prefix, colon, _ = reference.partition(":")
    return prefix in _LISTED if colon else not reference.endswith((".py", ".pt2"))


def _environment(own: bool) -> Iterator[tuple[str, str]]:
    for name, value in sorted(os.environ.items()):
        if name not in _IDLE and (own or name.startswith(_HEEDED)):
            yield name, value


def _own_places(references: Sequence[str]) -> list[str]:
    """The directories, other than those of installed packages, in which modules are looked for."""
    folders = [str(Path(r.rpartition(":")[0]).parent) for r in references if ".py:" in r]
    listed = [place for place in sys.path if not place.endswith(FINDERS_MARK)]
    places = dict.fromkeys(os.path.abspath(place) for place in (*listed, *folders))
    standard = os.path.dirname(os.__file__)
    return [
        place for place in places if not place.startswith(standard) and not _is_of_packages(place)
    ]


def _is_of_packages(place: str) -> bool:
    """Whether packages are installed there; its time tells of one that came or went."""
    return place.endswith(("site-packages", "dist-packages"))
