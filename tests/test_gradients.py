"""The oracles themselves, held against closed forms and torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import assert_close

import nnbook
from nnbook.gradients import relative_error

SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS, shape=st.sampled_from([(), (1,), (0,), (5,), (2, 3), (2, 0, 3)]))
@settings(max_examples=30, deadline=None)
def test_numerical_and_complex_step_equal_the_closed_form(seed, shape):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    expected = dy * (np.cos(x) * np.exp(x) + np.sin(x) * np.exp(x))
    def f(x):
        return np.sin(x) * np.exp(x)
    assert_close(nnbook.numerical_gradient(f, x, dy), expected, 1e-8)
    assert_close(nnbook.complex_step_gradient(f, x, dy), expected, 1e-14)


def test_a_scalar_function_needs_no_upstream_gradient():
    x = np.array([1.0, -2.0, 3.0])
    assert_close(nnbook.numerical_gradient(lambda x: np.sum(x**3), x), 3 * x**2, 1e-8)
    assert_close(nnbook.complex_step_gradient(lambda x: np.sum(x**3), x), 3 * x**2, 1e-14)


def test_a_large_entry_gets_a_step_of_its_size():
    x = np.array([1e6])
    assert_close(nnbook.numerical_gradient(lambda x: np.sum(np.sqrt(x)), x) * 1e3, [0.5], 1e-8)


def test_float32_input_is_differentiated_in_float64():
    got = nnbook.numerical_gradient(lambda x: np.sum(x**2), np.array([0.3], np.float32))
    assert got.dtype == np.float64
    assert_close(got, [2 * np.float64(np.float32(0.3))], 1e-8)


def test_given_step_is_taken():
    """With h = 1 the central difference of x^3 at 2 is (27 - 1) / 2 = 13, not 12."""
    assert nnbook.numerical_gradient(lambda x: x**3, np.float64(2.0), h=1.0) == 13


@pytest.mark.parametrize("oracle", [nnbook.numerical_gradient, nnbook.complex_step_gradient])
def test_wrong_input(oracle):
    with pytest.raises(TypeError, match="dtype int64, expected floating"):
        oracle(np.sum, np.arange(3))
    with pytest.raises(ValueError, match=r"f returned shape \(3,\)"):
        oracle(np.sin, np.ones(3))
    with pytest.raises(ValueError, match=r"dy has shape \(2,\), expected the shape of f\(x\), \(3,\)"):
        oracle(np.sin, np.ones(3), np.ones(2))


def test_complex_step_notices_a_dropped_imaginary_part():
    with pytest.raises(TypeError, match="drops the imaginary part"):
        nnbook.complex_step_gradient(lambda x: np.sum(np.abs(x)), np.ones(3))


def test_relative_error():
    assert relative_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    assert relative_error(np.array([0.1]), np.array([0.2])) == pytest.approx(0.1)
    assert relative_error(np.zeros((0,)), np.zeros((0,))) == 0
    with pytest.raises(ValueError, match="shapes differ"):
        relative_error(np.zeros(2), np.zeros(3))


def test_check_vjp_accepts_the_right_rule_and_names_the_wrong_one():
    @nnbook.primitive
    def cube(x):
        return x**3

    cube.defvjp(lambda dy, y, x: dy * 3 * x**2)
    x = np.random.default_rng(1).standard_normal((3, 5))
    assert nnbook.check_vjp(cube, x) < 1e-8
    cube.defvjp(lambda dy, y, x: dy * 2 * x**2)
    with pytest.raises(AssertionError, match="central differences give"):
        nnbook.check_vjp(cube, x)


def test_check_vjp_notices_a_gradient_of_the_wrong_shape():
    @nnbook.primitive
    def add_row(x, row):
        return x + row

    add_row.defvjp(lambda dy, y, x, row: (dy, dy))  # the sum over the rows is missing
    rng = np.random.default_rng(3)
    with pytest.raises(AssertionError, match=r"a gradient has shape \(4, 3\), expected that of its array, \(1, 3\)"):
        nnbook.check_vjp(add_row, rng.standard_normal((4, 3)), rng.standard_normal((1, 3)))


def test_check_vjp_on_a_tree_with_integers_and_several_results():
    rng = np.random.default_rng(2)
    params = {"w": rng.standard_normal((4, 3)), "rows": np.array([0, 2, 2]), "deep": [rng.standard_normal(3)]}

    def f(p, x):
        y = nnbook.matmul(x, p["w"]) + p["deep"][0]
        return {"all": nnbook.exp(y), "picked": y[p["rows"]]}

    assert nnbook.check_vjp(f, params, rng.standard_normal((5, 4))) < 1e-8
