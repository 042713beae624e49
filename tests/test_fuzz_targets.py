"""What `make fuzz` runs: its targets take their own inputs, and its mutations stay JSON."""

from __future__ import annotations

import json

import pytest

from perf import fuzz, fuzz_targets


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_targets_take_their_own_inputs_and_any_bytes(name, monkeypatch):
    monkeypatch.setenv("PIXFOUND_SEGMENTER", "region")
    target = fuzz_targets.MAKERS[name]()
    assert target.seeds
    for data in (*target.seeds, b"", b"\xff\xfe{", b"[" * 2000, b"{}"):
        target.call(data)


def test_mutations_put_hostile_values_into_json():
    value = {"masks": [{"size": [4, 6], "counts": "h0"}], "text": "it"}
    data = json.dumps(value).encode()
    found = [fuzz.mutate(data, 1 << 16, seed, lambda data, longest: b"by bytes") for seed in range(100)]
    changed = [json.loads(each) for each in found if each != b"by bytes"]
    assert 30 < len(changed) < 70 and sum(each != value for each in changed) > 25
    assert len({json.dumps(each) for each in changed}) > 20
    assert fuzz.mutate(data, 5, 1, lambda data, longest: data[:longest]) == data[:5]
