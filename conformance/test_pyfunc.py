"""Stock MLflow loads the champion: `mlflow.pyfunc.load_model("models:/1H_trading_model@champion")`."""

import zipfile

import mlflow
import numpy as np
import onnx
import pytest

from herd import MODEL, hourly_bars

OBS_LEN = 35
POSITIONS = ["short", "flat", "long"]


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    from herd import Herd

    herd = Herd(tmp_path_factory.mktemp("champion"))
    herd.train("--seed", 5)
    herd.crown(1)
    return herd


@pytest.fixture(scope="module")
def observations():
    rng = np.random.default_rng(1)
    return rng.normal(size=(257, OBS_LEN)).astype(np.float32)


def load(herd, uri=f"models:/{MODEL}@champion"):
    herd.client()
    return mlflow.pyfunc.load_model(uri)


def parameters(herd):
    """Reads the weights from the zip without torch: each tensor is a file of little-endian floats."""
    (path,) = (herd.folder / "mlruns").rglob("model.zip")
    onnx_model = onnx.load(path.with_name("model.onnx"))
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in onnx_model.graph.initializer}
    inner = zipfile.ZipFile(zipfile.ZipFile(path).open("policy.pth"))
    stored = {inner.read(name) for name in inner.namelist() if "/data/" in name}
    # Every tensor of the exported model is in the registered file, bit for bit.
    assert all(array.astype("<f4").tobytes() in stored for array in arrays.values())
    return arrays


def actions_of(arrays, obs):
    x = obs
    for layer in (0, 2):
        name = f"mlp_extractor.policy_net.{layer}"
        x = np.tanh(x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"])
    logits = x @ arrays["action_net.weight"].T + arrays["action_net.bias"]
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    return logits.argmax(axis=1), exps / exps.sum(axis=1, keepdims=True)


def test_champion_predicts_the_actions_of_its_registered_file(champion, observations):
    predicted = load(champion).predict(observations)
    actions, probabilities = actions_of(parameters(champion), observations)
    assert predicted["action"].tolist() == actions.tolist()
    np.testing.assert_allclose(predicted["probabilities"], probabilities, atol=1e-6)
    assert predicted["value"].shape == (len(observations), 1)


def test_exported_model_passes_the_checker_of_onnx(champion):
    (path,) = (champion.folder / "mlruns").rglob("model.onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)


def test_probabilities_are_those_that_herdbook_predicts(champion, tmp_path):
    """Compares herdbook's prediction on real bars with onnxruntime's on the same observation."""
    header, rows = hourly_bars(600)
    bars = tmp_path / "bars.csv"
    bars.write_text("\n".join([header, *rows]) + "\n")
    answer = champion.ask("predict", "champion", "--timeframe", "1H", "--data", bars)
    predicted = load(champion).predict(np.array([answer["observation"]], dtype=np.float32))
    assert POSITIONS[predicted["action"][0]] == answer["action"]
    expected = [answer["probabilities"][name] for name in POSITIONS]
    np.testing.assert_allclose(predicted["probabilities"][0], expected, atol=1e-5)


def test_files_beside_the_model_hold_no_time_and_no_path(champion):
    (path,) = (champion.folder / "mlruns").rglob("MLmodel")
    assert str(champion.folder) not in path.read_text()
    assert "utc_time" not in path.read_text()
