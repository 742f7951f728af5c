"""The exported classifier: agrees with PyTorch at any batch size, and says nothing of the machine."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mintmark.release import portable


@pytest.fixture(scope="module")
def exported(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "classifier.onnx"
    portable.export_onnx(classifier.network, path, shape=classifier.shape, classes=classifier.classes)
    return path


@pytest.mark.parametrize("size", [1, 2, 33])
def test_onnx_runtime_agrees_with_pytorch_at_any_batch_size(classifier, exported, size: int):
    images = torch.rand(size, 1, 8, 8, generator=torch.Generator().manual_seed(size)) * 2 - 1
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    answered = np.asarray(session.run(["logits"], {"images": images.numpy()})[0])
    with torch.inference_mode():
        np.testing.assert_allclose(answered, classifier.network(images).numpy(), atol=1e-5)


def test_the_file_states_its_operators_classes_and_input(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", portable.OPSET)]
    facts = {one.key: one.value for one in model.metadata_props}
    assert json.loads(facts["classes"]) == list("0123456789")
    assert set(facts) == {"classes", "input"}


def test_the_file_names_no_path_of_the_machine_and_holds_no_trace(exported):
    content = exported.read_bytes()
    for word in (b"stack_trace", b"site-packages", b".py", b"/usr", b"/home", b"/root", b"/tmp", b"SmallCNN"):
        assert word not in content


def test_equal_networks_give_equal_bytes(classifier, exported, tmp_path):
    again = tmp_path / "again.onnx"
    portable.export_onnx(classifier.network, again, shape=classifier.shape, classes=classifier.classes)
    assert again.read_bytes() == exported.read_bytes()


def test_a_file_that_disagrees_with_its_network_is_found(classifier, exported):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        other = type(classifier.network)((8, 8, 1), 10, 4).eval()
    difference = portable.largest_difference(other, exported, shape=classifier.shape)
    assert difference > portable.TOLERANCE
    assert portable.largest_difference(classifier.network, exported, shape=classifier.shape) <= portable.TOLERANCE


def test_an_export_that_disagrees_is_an_error(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(portable, "largest_difference", lambda *_, **__: float("nan"))
    monkeypatch.setattr(portable, "_exported", lambda *_: onnx.ModelProto())
    with pytest.raises(RuntimeError, match="must agree with PyTorch"):
        portable.export_onnx(classifier.network, tmp_path / "x.onnx", shape=(8, 8, 1), classes=("a",))
