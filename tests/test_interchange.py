"""Parameters to and from torch and safetensors: the same numbers under the same names, and never a pickle."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import assert_close

import nnbook
from nnbook.interchange import from_torch, load_safetensors, save_safetensors, to_torch
from nnbook.transformer import encoder_layer, transformer

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")
KINDS = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64"]
NAMES = st.sampled_from(["weight", "bias", "0", "10", "LayerNorm", "ключ", "in_proj"])


def arrays_of(dtype, shape, rng):
    a = rng.integers(0, 2, shape) if dtype in ("bool", "uint8") else rng.standard_normal(shape) * 3
    return np.asarray(a).astype(dtype) * (1 + 2j if dtype == "complex64" else 1)


@st.composite
def trees(draw, depth=3):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def leaf():
        shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
        return arrays_of(draw(st.sampled_from(KINDS)), shape, rng).astype(draw(st.sampled_from(KINDS)))

    def tree(depth):
        keys = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        return {k: tree(depth - 1) if depth and draw(st.booleans()) else leaf() for k in keys}

    return tree(depth)


def assert_same(got, expected):
    """The same nested dicts, keys in any order; arrays of one dtype and shape, equal to the bit."""
    assert isinstance(got, dict) == isinstance(expected, dict)
    if isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for k in expected:
            assert_same(got[k], expected[k])
    else:
        assert isinstance(got, np.ndarray)
        assert got.dtype == expected.dtype and got.shape == expected.shape
        assert got.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@given(params=trees())
@settings(max_examples=60, deadline=None)
def test_round_trips_are_exact(tmp_path_factory, params):
    assert_same(from_torch(to_torch(params)), params)
    path = tmp_path_factory.getbasetemp() / "round.safetensors"
    save_safetensors(params, path)
    assert_same(load_safetensors(path), params)
    assert_same(from_torch(safetensors.torch.load_file(path)), params)  # torch reads what we wrote
    safetensors.torch.save_file(to_torch(params), path)
    assert_same(load_safetensors(path), params)  # and we read what torch wrote


@pytest.mark.parametrize("module", [
    torch.nn.Linear(3, 5), torch.nn.LSTM(3, 5, 2, bidirectional=True), torch.nn.MultiheadAttention(6, 2, kdim=5),
    torch.nn.Transformer(6, 2, 1, 2, 7, batch_first=True),
    torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))],
    ids=lambda m: type(m).__name__)
def test_modules(module):
    """load_state_dict takes what to_torch gives, and the names are the module's."""
    params = from_torch(module)
    flat = to_torch(params)
    state = module.state_dict()
    assert flat.keys() == state.keys()
    for name, t in state.items():
        leaf = params
        for key in name.split("."):
            leaf = leaf[key]
        assert leaf.dtype == t.numpy().dtype
        np.testing.assert_array_equal(leaf, t.numpy())
        assert torch.equal(flat[name], t) and flat[name].dtype == t.dtype and not flat[name].requires_grad
    doubled = {name: 2 * t for name, t in flat.items()}
    module.load_state_dict(doubled)
    assert_same(from_torch(module), from_torch(doubled))
    assert_same(from_torch(module.state_dict()), from_torch(module))


def test_everything_is_a_copy(tmp_path):
    module = torch.nn.Linear(3, 2)
    params = from_torch(module)
    before = params["weight"].copy()
    module.weight.data += 1
    np.testing.assert_array_equal(params["weight"], before)
    flat = to_torch(params)
    flat["weight"] += 1
    np.testing.assert_array_equal(params["weight"], before)
    save_safetensors(params, tmp_path / "a.safetensors")
    loaded = load_safetensors(tmp_path / "a.safetensors")
    loaded["weight"] += 1  # writable
    np.testing.assert_array_equal(load_safetensors(tmp_path / "a.safetensors")["weight"], before)


def test_any_memory_order(tmp_path):
    a = np.arange(24.0).reshape(2, 3, 4)
    params = {"transposed": a.T, "flipped": a[:, ::-1], "strided": a[..., ::2], "fortran": np.asfortranarray(a),
              "big": a.astype(">f4"), "scalar": np.float32(3), "broadcast": np.broadcast_to(a[:1], (5, 3, 4))}
    save_safetensors(params, tmp_path / "a.safetensors")
    for got in (load_safetensors(tmp_path / "a.safetensors"), from_torch(to_torch(params))):
        assert got.keys() == params.keys()
        for k, e in params.items():
            np.testing.assert_array_equal(got[k], e)
            assert got[k].shape == e.shape
        assert got["big"].dtype == np.float32 and got["scalar"].dtype == np.float32


BF16 = torch.cat([torch.tensor([0.0, -0.0, 1.0, -2.5, 3.0e38, 1e-40, float("inf"), float("-inf"), float("nan")]),
                  torch.randn(40, generator=torch.Generator().manual_seed(0)) * 100]).bfloat16().reshape(7, 7)


def test_bfloat16_becomes_float32(tmp_path):
    """Exactly, with its zeros' signs, subnormal numbers, infinities and nan; through a file without torch."""
    safetensors.torch.save_file({"a.b": BF16, "a.c": torch.arange(3), "d": torch.ones(2).bfloat16()},
                                tmp_path / "bf.safetensors")
    expected = BF16.float().numpy()
    for got in (from_torch({"a.b": BF16})["a"]["b"], load_safetensors(tmp_path / "bf.safetensors")["a"]["b"]):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
    both = load_safetensors(tmp_path / "bf.safetensors")
    assert both["a"]["c"].dtype == np.int64 and list(both["a"]["c"]) == [0, 1, 2]
    assert both["d"].tolist() == [1, 1] and both["a"]["b"].flags.writeable
    program = ("import sys; from nnbook.interchange import load_safetensors; "
               f"a = load_safetensors({str(tmp_path / 'bf.safetensors')!r})['a']['b']; print(a[0, 3], a.dtype, "
               "sorted({'torch', 'ml_dtypes'} & set(sys.modules)))")
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "-2.5 float32 []"


def test_prefix(tmp_path):
    path = tmp_path / "a.safetensors"
    below = {"a": {"b": np.ones(2)}, "c": np.zeros(1)}
    save_safetensors({"bert": below, "bertha": np.ones(3), "cls": np.ones(4)}, path)
    for prefix in ("bert", "bert."):
        assert_same(load_safetensors(path, prefix), below)
    assert_same(load_safetensors(path, prefix="bert.a"), {"b": np.ones(2)})
    assert load_safetensors(path).keys() == {"bert", "bertha", "cls"}
    save_safetensors({}, path)
    assert load_safetensors(path) == {} == load_safetensors(path, "bert")


def test_paths_may_be_strings_and_hugging_face_reads_the_file(tmp_path):
    save_safetensors({"a": np.ones(2)}, str(tmp_path / "a.safetensors"))
    assert load_safetensors(str(tmp_path / "a.safetensors"))["a"].tolist() == [1, 1]
    with safetensors.safe_open(tmp_path / "a.safetensors", "np") as f:
        assert f.metadata() == {"format": "pt"}


# --- torch's Transformer layers through a file ------------------------------------------------------


def randomized(module, seed):
    """Weights and biases that are not zero or one."""
    g = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = torch.randn(p.shape, generator=g, dtype=p.dtype) * 0.3
    return module.eval()


@pytest.mark.parametrize(("dtype", "tol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer_from_a_file(tmp_path, dtype, tol, norm_first, activation):
    layer = randomized(torch.nn.TransformerEncoderLayer(
        12, 3, 17, activation=activation, batch_first=True, norm_first=norm_first, dtype=dtype), 0)
    safetensors.torch.save_file(layer.state_dict(), tmp_path / "layer.safetensors")
    params = load_safetensors(tmp_path / "layer.safetensors")
    x = torch.randn(2, 5, 12, dtype=dtype, generator=torch.Generator().manual_seed(1))
    y = encoder_layer(x.numpy(), params, 3, norm_first=norm_first, activation=activation)
    assert y.dtype == x.numpy().dtype
    assert_close(y, layer(x).detach().numpy(), tol)


@pytest.mark.parametrize(("dtype", "tol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_from_a_file(tmp_path, dtype, tol, norm_first):
    model = randomized(torch.nn.Transformer(12, 2, 2, 1, 17, batch_first=True, norm_first=norm_first, dtype=dtype), 2)
    safetensors.torch.save_file({f"model.{k}": v for k, v in model.state_dict().items()}, tmp_path / "m.safetensors")
    params = load_safetensors(tmp_path / "m.safetensors", prefix="model")
    g = torch.Generator().manual_seed(3)
    source, target = (torch.randn(2, n, 12, dtype=dtype, generator=g) for n in (7, 5))
    y = transformer(source.numpy(), target.numpy(), params, 2, norm_first=norm_first)
    assert y.dtype == source.numpy().dtype
    assert_close(y, model(source, target).detach().numpy(), tol)


# --- errors -----------------------------------------------------------------------------------------


ONE = np.ones(2)
BAD = [
    (lambda p: to_torch([ONE]), TypeError, "to_torch: params is a list, expected nested dicts of arrays"),
    (lambda p: to_torch(ONE), TypeError, "to_torch: params is a ndarray, expected nested dicts"),
    (lambda p: to_torch({"a": {"b": [1.0]}}), TypeError, "to_torch: a.b is a list, expected an ndarray"),
    (lambda p: to_torch({"a": 1.0}), TypeError, "to_torch: a is a float, expected an ndarray"),
    (lambda p: to_torch({"a": None}), TypeError, "to_torch: a is a NoneType, expected an ndarray"),
    (lambda p: to_torch({"a": torch.ones(2)}), TypeError, "to_torch: a is a Tensor, expected an ndarray"),
    (lambda p: to_torch({"layer": {0: ONE}}), TypeError, "to_torch: params has the key 0, a int, expected strings"),
    (lambda p: to_torch({"a": ONE, "a.b": ONE}), ValueError, "to_torch: 'a.b' is given, but 'a' on its path is an arr"),
    (lambda p: to_torch({"a.b": ONE, "a": ONE}), ValueError, "to_torch: 'a' is an array, but other names begin with"),
    (lambda p: to_torch({"a.b": ONE, "a": {"b": ONE}}), ValueError, "to_torch: params holds 'a.b' twice"),
    (lambda p: to_torch({"a": {"b": ONE}, "a.b": ONE}), ValueError, "to_torch: params holds 'a.b' twice"),
    (lambda p: to_torch({"": ONE}), ValueError, "to_torch: the name '' has an empty part"),
    (lambda p: to_torch({"a": np.array(["x"])}), TypeError, "to_torch: params has the dtypes <U1, expected only dtype"),
    (lambda p: to_torch({"a": ONE.astype(np.longdouble)}), TypeError, "to_torch: params has the dtypes float128"),
    (lambda p: nnbook.grad(lambda a: to_torch({"a": a})["a"].sum())(ONE), TypeError,
     "to_torch: a is a Tensor on the tape, expected an ndarray"),
    (lambda p: from_torch(torch.ones(2)), TypeError, "from_torch: state_dict is a Tensor, expected a torch module or"),
    (lambda p: from_torch(None), TypeError, "from_torch: state_dict is a NoneType, expected a torch module"),
    (lambda p: from_torch({"a": ONE}), TypeError, "from_torch: a is a ndarray, expected a torch tensor"),
    (lambda p: from_torch({"model": {"a": torch.ones(2)}}), TypeError, "from_torch: model is a dict, expected a torch"),
    (lambda p: from_torch({"a": torch.ones(2), "a.b": torch.ones(2)}), ValueError, "from_torch: 'a.b' is given, but"),
    (lambda p: from_torch({"a.b": torch.ones(2), "a": torch.ones(2)}), ValueError, "from_torch: 'a' is an array, but "),
    (lambda p: from_torch({"a..b": torch.ones(2)}), ValueError, "from_torch: the name 'a..b' has an empty part"),
    (lambda p: from_torch({"a": torch.ones(2).to(torch.float8_e5m2)}), TypeError, "from_torch: a of torch.float8_e5m2"),
    (lambda p: from_torch({"a": torch.ones(2, 2).to_sparse()}), TypeError, "from_torch: a of torch.float32 has no nda"),
    (lambda p: from_torch({"a": torch.ones(2, device="meta")}), TypeError, "from_torch: a of torch.float32 has no nda"),
    (lambda p: save_safetensors({"a": ONE}, p / "a.bin"), ValueError, "a pickle by its name, and to load a pickle is"),
    (lambda p: save_safetensors({"a": ONE}, 3), TypeError, "save_safetensors: path is a int, expected a path"),
    (lambda p: save_safetensors({"a": [1]}, p / "a.safetensors"), TypeError, "save_safetensors: a is a list, expected"),
    (lambda p: save_safetensors({"a": ONE, "a.b": ONE}, p / "a.safetensors"), ValueError, "save_safetensors: 'a.b' is"),
    (lambda p: save_safetensors({"a": ONE * 1j}, p / "a.safetensors"), TypeError, "save_safetensors: .*complex128"),
    (lambda p: load_safetensors(p / "model.pt"), ValueError, "load_safetensors: path is .*model.pt', a pickle by its"),
    (lambda p: load_safetensors(str(p / "pytorch_model.BIN")), ValueError, "load_safetensors: .* a pickle by its name"),
    (lambda p: load_safetensors(p / "params.pkl"), ValueError, "load_safetensors: .*expected a .safetensors file"),
    (lambda p: load_safetensors(p / "last.ckpt"), ValueError, "load_safetensors: .* a pickle by its name"),
    (lambda p: load_safetensors(p / "model.pth"), ValueError, "load_safetensors: .* a pickle by its name"),
    (lambda p: load_safetensors(None), TypeError, "load_safetensors: path is a NoneType, expected a path to a .safet"),
    (lambda p: load_safetensors(p / "none.safetensors"), FileNotFoundError, "load_safetensors: there is no file .*n"),
    (lambda p: load_safetensors(p), FileNotFoundError, "load_safetensors: there is no file"),
    (lambda p: load_safetensors(p / "text.safetensors"), ValueError, "text.safetensors is no safetensors file"),
    (lambda p: load_safetensors(p / "good.safetensors", "bart"), ValueError,
     "load_safetensors: no name begins with 'bart.', the names begin with a, bert"),
    (lambda p: load_safetensors(p / "clash.safetensors"), ValueError, "load_safetensors: 'a.b' is given, but 'a' on"),
    (lambda p: load_safetensors(p / "f8.safetensors"), TypeError, r"NumPy has no dtype for a \(F8_E4M3\); convert"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files that are not what they should be."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.safetensors").write_text("not a safetensors file, but long enough to have a header's length")
    save_safetensors({"bert": {"b": ONE}, "a": ONE}, folder / "good.safetensors")
    safetensors.torch.save_file({"a": torch.ones(2), "a.b": torch.ones(3)}, folder / "clash.safetensors")
    safetensors.torch.save_file({"a": torch.ones(2).to(torch.float8_e4m3fn)}, folder / "f8.safetensors")
    for name in ("model.pt", "pytorch_model.BIN", "params.pkl", "last.ckpt", "model.pth"):
        torch.save({"a": torch.ones(2)}, folder / name)
    return folder


@pytest.mark.parametrize(("call", "kind", "message"), BAD)
def test_bad_calls(files, call, kind, message):
    with pytest.raises(kind, match=message):
        call(files)


@pytest.mark.parametrize(("package", "call"), [
    ("torch", lambda p: to_torch({"a": ONE})), ("torch", lambda p: from_torch({})),
    ("safetensors", lambda p: save_safetensors({"a": ONE}, p / "x.safetensors")),
    ("safetensors", lambda p: load_safetensors(p / "good.safetensors"))])
def test_a_missing_package_is_named(monkeypatch, files, package, call):
    monkeypatch.delitem(sys.modules, f"{package}.numpy", raising=False)
    monkeypatch.setitem(sys.modules, package, None)  # Python's own way to say: not there
    with pytest.raises(ImportError, match=f"_(torch|safetensors) needs the package {package}: pip install {package}"):
        call(files)


def test_pickles_are_refused_unread(tmp_path):
    """The file that would run a program when it is unpickled is never opened."""
    class Program:
        def __reduce__(self):
            return (exec, ("raise SystemExit('a pickle was run')",))

    for name in ("a.pkl", "a.bin", "a.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Program()))
        with pytest.raises(ValueError, match=r"pickle|no safetensors file"):
            load_safetensors(tmp_path / name)
