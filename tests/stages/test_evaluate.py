import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from pipeline import files, schema
from pipeline.data import arrow
from pipeline.errors import GraftError
from pipeline.model import chat, metrics
from pipeline.stages import evaluate
from tests.conftest import ENVIRONMENT, ROOT
from tests.stages.conftest import LABELS, release, set_params, write_records


def predictions() -> list[dict]:
    """One row an item and slice."""
    return [
        {"slice": name, "id": item["id"], "answer": item["answer"], **item["candidate"]}
        for item in files.read_json(evaluate.PREDICTIONS)["items"]
        for name in item["slices"]
    ]


def test_another_process_evaluates_to_the_same_bytes(done, finished):
    subprocess.run(
        [sys.executable, "-m", "pipeline.stages.evaluate"], env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, check=True
    )
    for path in (evaluate.PREDICTIONS, evaluate.METRICS):
        assert path.read_bytes() == (finished / path).read_bytes()


def test_every_item_of_every_slice_is_predicted_in_order(done, run):
    write_records(evaluate.SLICES / "golden-few.arrow", range(90, 94))
    run(evaluate)
    rows = predictions()
    expected = [
        (path.stem, record.id, record.answer)
        for path in sorted(evaluate.SLICES.iterdir())
        for record in arrow.read_records(path)
    ]
    assert [(row["slice"], row["id"], row["answer"]) for row in rows] == sorted(expected, key=lambda row: row[1])
    assert {row["predicted"] for row in rows} <= set(LABELS)


def test_metrics_follow_from_the_predictions_and_all_pools_the_slices(done, run):
    write_records(evaluate.SLICES / "golden-few.arrow", range(90, 94))
    run(evaluate)
    found, rows = files.read_json(evaluate.METRICS), predictions()

    def measured(part):
        return metrics.measure([row["answer"] for row in part], [row["predicted"] for row in part])

    assert found["candidate"]["all"] == measured(rows)
    for name in ("winter", "golden-few"):
        assert found["candidate"]["slices"][name] == measured([row for row in rows if row["slice"] == name])
    assert found["parent"] is None
    assert schema.problems(found, "metrics") == []


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_candidate_is_scored_as_it_will_be_served(done, run, dtype):
    set_params(done, merge__dtype=dtype)
    run(evaluate)
    base = AutoModelForCausalLM.from_pretrained("examples/base", dtype=torch.float32)
    served = PeftModel.from_pretrained(base, "models/adapter").merge_and_unload().eval()
    for parameter in served.parameters():
        parameter.data = parameter.data.to(getattr(torch, dtype)).float()
    talk, record = chat.load(Path("examples/base")), arrow.read_records(evaluate.SLICES / "winter.arrow")[0]
    prompt, scores = talk.prompts([record.prompt])[0], {}
    for label, answer in zip(LABELS, talk.answers(LABELS), strict=True):
        with torch.inference_mode():
            logs = served(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        scores[label] = sum(float(logs[len(prompt) - 1 + i, token]) for i, token in enumerate(answer))
    best = max(scores, key=scores.__getitem__)
    assert predictions()[0]["predicted"] == best
    assert predictions()[0]["score"] == pytest.approx(scores[best], abs=1e-4)


def test_parents_own_predictions_are_taken_and_only_new_items_scored(child, finished, run):
    told = child / "models/parent/predictions.json"
    said = files.read_json(told)
    for item in said["items"]:
        item["candidate"]["predicted"] = item["answer"]
    files.write_json(told, said)
    files.write_json(child / "models/parent/labels.json", ["Book"])  # what the parent can say of new items
    shutil.copytree(finished / "models/adapter", "models/adapter")
    said = run(evaluate)
    assert "parent: 12 predictions known, 8 to score" in said
    parent = files.read_json(evaluate.METRICS)["parent"]
    assert parent["slices"]["winter"]["accuracy"] == 1.0
    books = [r.answer == "Book" for r in arrow.read_records(evaluate.SLICES / "spring.arrow")]
    assert parent["slices"]["spring"]["accuracy"] == sum(books) / len(books)
    assert schema.problems(files.read_json(evaluate.METRICS), "metrics") == []


def test_parent_is_not_loaded_when_all_its_predictions_are_known(done, finished, run):
    release(finished, done)
    (done / "models/parent/adapter/adapter_model.safetensors").unlink()
    run(evaluate)
    found = files.read_json(evaluate.METRICS)
    assert found["parent"] == found["candidate"]


def test_slice_without_items_has_no_metrics(done, run):
    write_records(evaluate.SLICES / "empty.arrow", [])
    run(evaluate)
    found = files.read_json(evaluate.METRICS)["candidate"]
    assert found["slices"]["empty"] == {"accuracy": None, "macro_f1": None, "items": 0}
    assert found["all"]["items"] == 12


def test_no_slices_at_all_is_a_defined_result(done, run):
    files.empty_dir(evaluate.SLICES)
    run(evaluate)
    assert files.read_json(evaluate.METRICS)["candidate"] == {
        "all": {"accuracy": None, "macro_f1": None, "items": 0},
        "slices": {},
    }
    assert predictions() == []


def test_item_longer_than_max_length_is_counted(done, run):
    set_params(done, train__max_length=40)
    run(evaluate)
    assert files.read_json(evaluate.METRICS)["truncated"] == 12
    assert all(row["truncated"] for row in predictions())


def test_labels_that_leave_no_room_for_a_prompt_are_an_error(done, run):
    set_params(done, train__max_length=12)
    with pytest.raises(GraftError, match=r"labels fill train\.max_length"):
        run(evaluate)
