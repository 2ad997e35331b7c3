"""Factorisations, solvers and functions of matrices: FLOPs by their leading terms, never MACs.

The terms are those of Golub and Van Loan, "Matrix Computations" (4th edition), for an m x n matrix
with m >= n; a wide one counts as its transpose does. Each matrix of a batch counts, and complex
arithmetic is four times the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from archscope.trace.costs.registry import Cost, cost_of, elements_of


class _Terms(NamedTuple):
    """FLOPs of an m x n matrix: of m n^2 and of n^3."""

    tall: Fraction | int
    square: Fraction | int


_LU = _Terms(0, Fraction(2, 3))
_QR = _Terms(2, Fraction(-2, 3))

_LEADING_TERMS = {
    "linalg_inv_ex": _Terms(0, 2),  # a factorisation, and a system for every column of the identity
    "linalg_lu_factor_ex": _LU,
    "linalg_lu": _LU,
    "_linalg_slogdet": _LU,
    "_linalg_det": _LU,
    "linalg_cholesky_ex": _Terms(0, Fraction(1, 3)),
    "cholesky": _Terms(0, Fraction(1, 3)),
    "cholesky_inverse": _Terms(0, Fraction(2, 3)),
    "linalg_ldl_factor_ex": _Terms(0, Fraction(1, 3)),
    "geqrf": _QR,
    "linalg_householder_product": _QR,
    "linalg_pinv": _Terms(16, 8),  # from the singular vectors, and a product
    "linalg_eig": _Terms(0, 25),
    "_linalg_eigvals": _Terms(0, 10),
    "linalg_eigvals": _Terms(0, 10),
    "linalg_matrix_exp": _Terms(0, 10),  # Taylor of degree 18: five products; squarings vary
}
_SINGULAR_VALUES, _SINGULAR_VECTORS = _Terms(4, Fraction(-4, 3)), _Terms(14, 8)
_EIGENVALUES, _EIGENVECTORS = _Terms(0, Fraction(4, 3)), _Terms(0, 9)  # of a symmetric matrix


def _each(x: Any, terms: _Terms) -> int:
    """The terms of every matrix."""
    long, short = max(x.shape[-2:]), min(x.shape[-2:])
    matrices = elements_of(x) // max(long * short, 1)
    return matrices * int(terms.tall * long * short**2 + terms.square * short**3)


def _counted(x: Any, flops: int) -> Cost:
    return Cost(0, 4 * flops if x.dtype.is_complex else flops)


def _decomposition(terms: _Terms) -> Callable[..., Cost]:
    def cost(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return _counted(x, _each(x, terms))

    return cost


for _name, _terms in _LEADING_TERMS.items():
    cost_of(_name)(_decomposition(_terms))


@cost_of("_linalg_svd")
def svd(
    x: Any, full_matrices: bool = False, compute_uv: bool = True, *, out: Any, **_: Any
) -> Cost:
    """By Golub and Reinsch; without singular vectors only the bidiagonal form is made."""
    return _counted(x, _each(x, _SINGULAR_VECTORS if compute_uv else _SINGULAR_VALUES))


@cost_of("_linalg_eigh")
def eigh(x: Any, uplo: str = "L", compute_v: bool = True, *, out: Any) -> Cost:
    """The symmetric QR algorithm; without eigenvectors only the tridiagonal form is made."""
    return _counted(x, _each(x, _EIGENVECTORS if compute_v else _EIGENVALUES))


@cost_of("linalg_qr")
def qr(x: Any, mode: str = "reduced", *, out: Any) -> Cost:
    """R, and the columns of Q unless R alone is wanted."""
    return _counted(x, _each(x, _QR) * (1 if mode == "r" else 2))


@cost_of("_linalg_solve_ex")
def solve(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A factorisation, and two triangular systems of n^2 for each right-hand side."""
    return _counted(x, _each(x, _LU) + 2 * elements_of(out[0]) * x.shape[-1])


@cost_of("linalg_lstsq")
def least_squares(x: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """R, and for each right-hand side n reflections of m elements and a triangular system."""
    systems = elements_of(b) // max(x.shape[-2], 1)
    of_one = 4 * x.shape[-2] * x.shape[-1] + x.shape[-1] ** 2
    return _counted(x, _each(x, _QR) + systems * of_one)


@cost_of("linalg_solve_triangular")
def triangular(matrix: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """n^2 for each right-hand side: every unknown takes n operations."""
    return _counted(matrix, elements_of(out) * matrix.shape[-1])


@cost_of("triangular_solve")
def triangular_solve(b: Any, matrix: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """As above, with the operands the other way round."""
    return triangular(matrix, out=out[0])


@cost_of("linalg_lu_solve", "linalg_ldl_solve")
def factorised(matrix: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Two triangular systems."""
    return _counted(matrix, 2 * elements_of(out) * matrix.shape[-1])


@cost_of("cholesky_solve", "_cholesky_solve_helper")
def cholesky_solve(b: Any, matrix: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Two triangular systems, with the operands the other way round."""
    return factorised(matrix, out=out)


@cost_of("ormqr")
def ormqr(x: Any, tau: Any, other: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A product with each of the k reflections: 4 operations per element."""
    return _counted(x, 4 * elements_of(other) * tau.shape[-1])
