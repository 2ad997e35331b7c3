"""Factorisations, solvers and functions of matrices: FLOPs by their leading terms, never MACs.

The terms are those of Golub and Van Loan, "Matrix Computations" (4th edition), for an m x n matrix
with m >= n; a wide one counts as its transpose does. Each matrix of a batch counts.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from archscope.trace.costs.registry import Cost, cost_of, elements_of

# FLOPs of an m x n matrix: of m n^2 and of n^3.
_LEADING_TERMS: dict[str, tuple[int, Fraction | int]] = {
    "linalg_inv_ex": (0, Fraction(2, 3)),
    "_linalg_solve_ex": (0, Fraction(2, 3)),
    "linalg_lu_factor_ex": (0, Fraction(2, 3)),
    "linalg_lu": (0, Fraction(2, 3)),
    "_linalg_slogdet": (0, Fraction(2, 3)),
    "_linalg_det": (0, Fraction(2, 3)),
    "linalg_cholesky_ex": (0, Fraction(1, 3)),
    "cholesky": (0, Fraction(1, 3)),
    "cholesky_inverse": (0, Fraction(2, 3)),
    "linalg_ldl_factor_ex": (0, Fraction(1, 3)),
    "geqrf": (2, Fraction(-2, 3)),
    "linalg_householder_product": (2, Fraction(-2, 3)),
    "linalg_qr": (4, Fraction(-4, 3)),  # R, then the columns of Q
    "linalg_lstsq": (2, Fraction(-2, 3)),
    "_linalg_svd": (14, 8),  # with singular vectors
    "linalg_pinv": (16, 8),  # from the singular vectors, and a product
    "_linalg_eigh": (0, 9),  # with eigenvectors
    "linalg_eig": (0, 25),
    "_linalg_eigvals": (0, 10),
    "linalg_matrix_exp": (0, 10),  # Taylor of degree 18: five products; squarings vary
}


def _decomposition(tall: int, square: Fraction | int) -> Callable[..., Cost]:
    def cost(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        long, short = max(x.shape[-2:]), min(x.shape[-2:])
        matrices = elements_of(x) // max(long * short, 1)
        of_one = tall * long * short**2 + square * short**3
        return Cost(0, matrices * int(of_one))

    return cost


for _name, _terms in _LEADING_TERMS.items():
    cost_of(_name)(_decomposition(*_terms))


@cost_of("linalg_solve_triangular", "triangular_solve")
def triangular(a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """n^2 for each column of the right-hand side: every unknown takes n operations."""
    solution = out[0] if isinstance(out, tuple) else out
    return Cost(0, elements_of(solution) * solution.shape[-2])


@cost_of("linalg_lu_solve", "linalg_ldl_solve", "cholesky_solve", "_cholesky_solve_helper")
def solve(*_: Any, out: Any, **__: Any) -> Cost:
    """Two triangular systems."""
    return Cost(0, 2 * elements_of(out) * out.shape[-2])


@cost_of("ormqr")
def ormqr(x: Any, tau: Any, other: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A product with each of the k reflections: 4 operations per element."""
    return Cost(0, 4 * elements_of(other) * tau.shape[-1])
