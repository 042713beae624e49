"""Whether lmms-eval can evaluate, in fresh processes in which something is or is not wrong."""

from __future__ import annotations

import pytest
from doctor.broken_environments import distribution, plugin

from pixfound_tasks.doctor import host


@pytest.fixture
def first_on_path(tmp_path, monkeypatch):
    """A folder whose content goes before what is installed."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def only(findings, status):
    (finding,) = (each for each in findings if each.status == status)
    return finding


def test_here_lmms_eval_finds_the_plugin_and_evaluates():
    findings = {each.name: each for each in host.examine_host()}
    assert findings["plugin"].status == findings["evaluation"].status == "ok"
    assert "and the tasks" in findings["plugin"].detail


def test_a_broken_plugin_of_another_package_is_named(first_on_path):
    plugin(first_on_path, "other-lab", "no_such_module:register")
    found = only(host.examine_host(evaluate=False), "error")
    assert "other-lab" in found.detail and "no_such_module" in found.detail
    assert found.remedy.endswith("pip uninstall other-lab")


def test_a_plugin_that_fails_when_it_registers_is_named(first_on_path):
    plugin(first_on_path, "other-lab", "other_lab:register")
    (first_on_path / "other_lab.py").write_text("def register():\n    raise OSError('no licence')\n")
    found = only(host.examine_host(evaluate=False), "error")
    assert "OSError: no licence" in found.detail and "other-lab" in found.remedy


def test_our_own_broken_plugin_is_to_be_reinstalled(first_on_path):
    entry_points = "[lmms_eval.models]\npixfound = pixfound_tasks.plugin:no_such_function\n"
    distribution(first_on_path, "pixfound-tasks", "0.1.0", entry_points)
    found = only(host.examine_host(evaluate=False), "error")
    assert "no_such_function" in found.detail and "--force-reinstall" in found.remedy


def test_metadata_without_a_plugin_is_to_be_reinstalled(first_on_path):
    distribution(first_on_path, "pixfound-tasks", "0.1.0")
    found = only(host.examine_host(evaluate=False), "error")
    assert found.name == "plugin" and "declares no plugin" in found.detail and "--force-reinstall" in found.remedy


def test_torchvision_of_another_index_is_named_with_both_packages(first_on_path):
    message = "operator torchvision::nms does not exist"
    (first_on_path / "torchvision.py").write_text(f"raise RuntimeError({message!r})\n")
    found = only(host.examine_host(evaluate=False), "error")
    assert (found.name, found.detail) == ("import torchvision", f"RuntimeError: {message}")
    assert found.remedy.startswith("pip install --force-reinstall torch==") and "torchvision==" in found.remedy


def test_a_process_that_dies_is_an_error_with_its_last_words(first_on_path):
    (first_on_path / "torch.py").write_text("import os, sys\nprint('cannot go on', file=sys.stderr)\nos._exit(3)\n")
    found = only(host.examine_host(), "error")
    assert "exit status 3: cannot go on" in found.detail


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ({"cuda": [], "built_for_cuda": "13.0"}, [("note", "sees no GPU")]),
        ({"cuda": [], "built_for_cuda": "", "mps": True}, [("note", "without CUDA"), ("ok", "Apple GPU")]),
        ({"cuda": [{"name": "T4", "gigabytes": 15.8}], "bfloat16": False}, [("ok", "T4, 15.8 GB, float16")]),
        ({"cuda": [{"name": "H100", "gigabytes": 85.0}], "bfloat16": True}, [("ok", "bfloat16")]),
    ],
)
def test_devices_and_their_dtypes(devices, expected):
    defaults = {"bfloat16": False, "mps": False, "built_for_cuda": "13.0", "threads": 2}
    found = list(host._examine_devices(defaults | devices))
    assert [each.status for each in found] == [status for status, _ in expected]
    assert all(text in each.detail for each, (_, text) in zip(found, expected))


def test_a_plugin_that_ends_the_process_is_named(first_on_path):
    plugin(first_on_path, "other-lab", "other_lab:register")
    (first_on_path / "other_lab.py").write_text("raise SystemExit('bye')\n")
    found = only(host.examine_host(evaluate=False), "error")
    assert "other-lab" in found.detail and "bye" in found.detail and found.remedy.endswith("pip uninstall other-lab")


def test_a_torch_of_another_file_is_named(first_on_path):
    (first_on_path / "torch.py").write_text("")
    found = only(host.examine_host(evaluate=False), "error")
    assert found.name == "import torch" and str(first_on_path / "torch.py") in found.detail and "rename" in found.remedy


def test_a_legacy_plugin_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("LMMS_EVAL_PLUGINS", "nonsuch")
    assert only(host.examine_host(evaluate=False), "error").remedy == "correct LMMS_EVAL_PLUGINS, or unset it"


def test_broken_records_of_other_packages_are_warnings(first_on_path):
    distribution(first_on_path, "other-lab", "1.0", "[pixfound_tasks.conventions]\nhalf = no_such_module:HALF\n")
    found = only(host.examine_host(evaluate=False), "warning")
    assert found.name == "conventions" and "half of other-lab" in found.detail and "other-lab" in found.remedy
