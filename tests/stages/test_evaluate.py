import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from pipeline.chain.verify.import_closure import closure
from pipeline.common import files, schema, sources
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow
from pipeline.evaluation import compared_models, predictions_content
from pipeline.evaluation.llm_judge import ratings
from pipeline.evaluation.metrics import slice_metrics, write_figures
from pipeline.evaluation.predict import keys
from pipeline.model.base import pinned
from pipeline.model.chat import chat
from pipeline.stages import evaluate
from tests.conftest import ENVIRONMENT, ROOT
from tests.judge_server import Reply, serving
from tests.stages.conftest import LABELS, name_what_was_said, record, release, set_params, write_records


def predictions() -> list[dict]:
    """What the candidate said, item by item, with the item's own keys."""
    return [item | item["candidate"] for item in files.read_json(evaluate.PREDICTIONS)["items"]]


def takes_adapter(finished: Path) -> None:
    """As if the stage `train` had made the finished candidate's adapter here."""
    shutil.copytree(finished / "models/adapter", "models/adapter")
    Path("reports").mkdir(exist_ok=True)
    shutil.copy2(finished / "reports/training.json", "reports")


def test_every_item_of_every_slice_is_predicted_in_order(done, run):
    write_records(predictions_content.SLICES / "golden-few.arrow", range(90, 94))
    run(evaluate)
    rows = predictions()
    expected = sorted(
        (record.id, [path.stem], record.answer)
        for path in predictions_content.SLICES.glob("*.arrow")
        for record in arrow.read_records(path)
    )
    assert [(row["id"], row["slices"], row["answer"]) for row in rows] == expected
    assert {row["predicted"] for row in rows} <= set(LABELS)


def test_metrics_follow_from_the_predictions_and_all_pools_the_slices(done, run):
    write_records(predictions_content.SLICES / "golden-few.arrow", range(90, 94))
    run(evaluate)
    found, told = files.read_json(write_figures.METRICS), files.read_json(evaluate.PREDICTIONS)["items"]
    assert found["candidate"]["all"] == slice_metrics.measure(told, "candidate")
    for name in ("winter", "golden-few"):
        inside = [item for item in told if name in item["slices"]]
        assert found["candidate"]["slices"][name] == slice_metrics.measure(inside, "candidate")
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
    talk, record = chat.load(Path("examples/base")), arrow.read_records(predictions_content.SLICES / "winter.arrow")[0]
    [said] = [row for row in predictions() if row["id"] == record.id]
    prompt, scores = talk.prompts([record.prompt])[0], {}
    for label, answer in zip(LABELS, talk.answers(LABELS), strict=True):
        with torch.inference_mode():
            logs = served(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        scores[label] = sum(float(logs[len(prompt) - 1 + i, token]) for i, token in enumerate(answer))
    best = max(scores, key=scores.__getitem__)
    assert said["predicted"] == best
    assert said["score"] == pytest.approx(scores[best], abs=1e-4)
    chances = torch.tensor(list(scores.values())).softmax(0)
    assert said["confidence"] == pytest.approx(float(chances.max()), abs=1e-4)


def rewrite(path: Path, change) -> None:
    """Change the candidate's row of every item of a predictions.json."""
    told = files.read_json(path)
    for item in told["items"]:
        item["candidate"] |= change(item)
    files.write_json(path, told)
    name_what_was_said(path.parents[2])


def test_parents_own_predictions_are_taken_and_only_new_items_scored(child, finished, run):
    rewrite(child / "models/parent/predictions.json", lambda item: {"predicted": item["answer"]})
    takes_adapter(finished)
    files.write_json(compared_models.LABELS, ["Book"])  # another candidate than the parent, so that it is asked itself
    said = run(evaluate)
    assert "candidate: 0 predictions known, 20 to score" in said
    assert "parent: 12 predictions known, 8 to score" in said
    found = files.read_json(write_figures.METRICS)
    assert found["parent"]["slices"]["winter"]["accuracy"] == 1.0
    books = [r.answer == "Book" for r in arrow.read_records(predictions_content.SLICES / "spring.arrow")]
    assert found["candidate"]["slices"]["spring"]["accuracy"] == sum(books) / len(books)
    assert {row["predicted"] for row in predictions()} == {"Book"}
    assert schema.problems(found, "metrics") == []


def test_what_a_parent_said_counts_only_as_it_was_released(child, finished, run):
    takes_adapter(finished)
    path = child / "models/parent/predictions.json"
    path.write_bytes(path.read_bytes().replace(b'"confidence": 0.', b'"confidence": 7.', 1))
    with pytest.raises(GraftError, match=r"not the bytes that v1\.0\.0 released"):
        run(evaluate)


def test_what_a_parent_was_asked_is_told_once_and_not_its_parents_too(child, finished, run):
    takes_adapter(finished)
    path = child / "models/parent/predictions.json"
    before = files.read_json(path)
    for item in before["items"][:5]:
        item["slices"].append("golden-best")
    files.write_json(path, before | {"params": before["params"] | {"parent": {"evaluate": {}}}})
    name_what_was_said(child)
    run(evaluate)
    found = files.read_json(evaluate.PREDICTIONS)
    assert found["params"]["parent"] == before["params"]["candidate"]
    assert found["golden"] == {"parent": {"golden-best": 5}}


def test_a_candidate_that_is_its_parent_says_what_it_said_and_loads_nothing(done, finished, run):
    release(finished, done)
    rewrite(done / "models/parent/predictions.json", lambda _: {"predicted": "Toys"})
    code = "import sys; from pipeline.stages import evaluate; evaluate.main(); assert 'torch' not in sys.modules"
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert {row["predicted"] for row in predictions()} == {"Toys"}


@pytest.mark.parametrize(
    "what", ["adapter", "adapter_config", "template", "dtype", "max_length", "labels", "prompt", "normalize", "scorer"]
)
def test_one_changed_byte_invalidates_the_predictions_that_depend_on_it_and_no_others(
    done, finished, run, what, monkeypatch
):
    release(finished, done)
    if what == "adapter":
        weights = Path("models/adapter/adapter_model.safetensors")
        changed = bytearray(weights.read_bytes())
        changed[-1] ^= 1  # of the last number: a sign, or a bit of the exponent
        weights.write_bytes(changed)
    elif what == "adapter_config":
        text = Path("models/adapter/adapter_config.json")
        text.write_text(text.read_text() + " ")
    elif what == "template":
        Path("data/templates").mkdir(parents=True, exist_ok=True)
        Path("data/templates/own.jinja").write_text(Path("examples/base/chat_template.jinja").read_text() + " ")
        set_params(done, train__chat_template="data/templates/own.jinja")
    elif what == "dtype":
        set_params(done, merge__dtype="bfloat16")
    elif what == "max_length":
        set_params(done, train__max_length=100)
    elif what == "labels":
        files.write_json(compared_models.LABELS, ["Book"])
    elif what == "prompt":
        write_records(predictions_content.SLICES / "winter.arrow", [*range(48, 59), 99])
    elif what == "normalize":
        set_params(done, evaluate__normalize="length")
    else:
        monkeypatch.setattr(keys, "scorer", lambda kind: "another")
    known = {"prompt": 11}.get(what, 0)
    said = run(evaluate)
    assert f"candidate: {known} predictions known, {12 - known} to score" in said
    assert "parent: 12 predictions known" in said  # it is what it was; or equals the candidate, which was just asked


def test_a_key_holds_the_tokenizer_and_the_kind_of_a_record(done):
    base, judge = pinned.load(), keys.Decoding(normalize="none", max_new_tokens=8)
    model = keys.model(compared_models.ADAPTER, base, LABELS, template=None, dtype="float32", max_length=64)
    sha256 = dict(base.sha256) | {"tokenizer.json": "0" * 64}
    other = keys.model(
        compared_models.ADAPTER, replace(base, sha256=sha256), LABELS, template=None, dtype="float32", max_length=64
    )
    [item, *_] = arrow.read_records(predictions_content.SLICES / "winter.arrow")
    spoken = replace(item, kind="sft")
    assert keys.key(model, judge, item) != keys.key(other, judge, item)
    assert keys.key(model, judge, item) != keys.key(model, judge, spoken)
    longer = replace(judge, max_new_tokens=9)  # how answers are generated says nothing of labels, and the reverse
    assert keys.key(model, longer, item) == keys.key(model, judge, item)
    assert keys.key(model, longer, spoken) != keys.key(model, judge, spoken)
    fewer = replace(model, labels=keys.digest(["Book"]))
    assert keys.key(fewer, judge, spoken) == keys.key(model, judge, spoken)


def test_what_stands_behind_the_figures_is_written(done, finished, run):
    found = {name: files.read_json(done / f"reports/{name}.json") for name in ("metrics", "details", "matrix")}
    assert {name: problems for name, value in found.items() if (problems := schema.problems(value, name))} == {}
    accuracy = found["metrics"]["candidate"]["slices"]["winter"]["accuracy"]
    assert found["metrics"]["chain"]["average_accuracy"] == accuracy
    assert found["matrix"]["releases"] == [
        {"release": None, "increment": "winter", "items": {"winter": 12}, "accuracy": {"winter": accuracy}}
    ]
    assert sum(row["support"] for row in found["details"]["labels"].values()) == 12
    assert len(Path("reports/plots/confusion.csv").read_text().splitlines()) == 13
    assert Path("reports/plots/slices.csv").read_text() == f"slice,release,accuracy\nwinter,candidate,{accuracy}\n"


def test_the_chains_matrix_grows_from_the_parents(child, finished, run):
    shutil.copy2(finished / "reports/matrix.json", child / "models/parent")
    takes_adapter(finished)
    lock = files.read_json(Path("models.lock")) | {"increment": "data/increments/spring"}
    files.write_json(Path("models.lock"), lock)
    run(evaluate)
    found, [before, now] = files.read_json(write_figures.METRICS), files.read_json(write_figures.MATRIX)["releases"]
    assert (before["release"], before["increment"]) == ("v1.0.0", "winter")
    assert before["accuracy"]["spring"] == found["parent"]["slices"]["spring"]["accuracy"]
    assert (now["release"], now["increment"], now["items"]) == (None, "spring", {"spring": 8, "winter": 12})
    assert found["chain"]["forgetting"] == {"winter": 0.0}  # the very same adapter
    assert found["chain"]["backward_transfer"] == 0.0


def test_variants_of_some_items_are_scored_with_them(child, finished, run):
    set_params(child, evaluate__robustness={"items": 5, "kinds": ["typos", "case"], "strengths": [0.2]})
    takes_adapter(finished)
    files.write_json(compared_models.LABELS, ["Book"])
    run(evaluate)
    found, told = files.read_json(write_figures.METRICS), files.read_json(evaluate.PREDICTIONS)
    assert schema.problems(found, "metrics") == []
    assert {row["kind"] for row in told["robustness"]} == {"typos", "case"}
    assert len({row["source"] for row in told["robustness"]}) == 5
    assert all(row["candidate"]["key"] != row["parent"]["key"] for row in told["robustness"])
    assert found["robustness"]["candidate"]["typos"]["items"] == 5
    first = evaluate.PREDICTIONS.read_bytes()
    run(evaluate)
    assert evaluate.PREDICTIONS.read_bytes() == first


def test_a_metric_of_ones_own_is_measured(done, run):
    Path("metrics").mkdir()
    Path("metrics/mine.py").write_text("def long(item): return item['predicted'] == item['label'], len(item['label'])")
    set_params(done, evaluate__custom="metrics.mine:long")
    run(evaluate)
    found, rows = files.read_json(write_figures.METRICS)["candidate"]["all"], predictions()
    right = sum(len(row["answer"]) for row in rows if row["predicted"] == row["answer"])
    assert found["long"] == pytest.approx(right / sum(len(row["answer"]) for row in rows), abs=1e-6)


def test_a_metric_that_is_not_there_stops_before_any_model_is_loaded(done, run):
    shutil.rmtree("models/adapter")
    with pytest.raises(GraftError, match=r"evaluate\.custom: no such file: metrics/absent\.py"):
        set_params(done, evaluate__custom="metrics.absent:long")
    (done / "metrics").mkdir(exist_ok=True)
    (done / "metrics/absent.py").write_text("def long(): pass\n")
    set_params(done, evaluate__custom="metrics.absent:long")
    (done / "metrics/absent.py").unlink()
    with pytest.raises(GraftError, match=r"there is no metrics/absent\.py"):
        run(evaluate)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("training/losses/forward.py", {"sft", "kto", "text", "preference"}),
        ("model/scoring/scoring.py", {"classification"}),
        ("evaluation/predict/answers.py", {"classification", "sft", "kto", "text", "preference"}),
        ("model/weights/layers.py", {"classification", "sft", "kto", "text", "preference"}),
    ],
)
def test_a_byte_of_what_scores_changes_the_keys_of_what_it_scores(name, kinds, monkeypatch):
    known = ("classification", "sft", "kto", "text", "preference")
    before = {kind: keys.scorer.__wrapped__(kind) for kind in known}
    sha256 = files.sha256
    monkeypatch.setattr(files, "sha256", lambda path: "changed" if path == ROOT / "pipeline" / name else sha256(path))
    assert {kind for kind in known if keys.scorer.__wrapped__(kind) != before[kind]} == kinds


def test_all_that_a_scorer_imports_is_in_its_version():
    """Code that computes and is not named would leave stale predictions in use."""
    computing = ("pipeline/evaluation/predict", "pipeline/model/scoring")
    modules = [ROOT / name for name in sources.hashes(computing)]
    used = {path.relative_to(ROOT).as_posix() for start in modules for path in closure(start)}
    no_part = (  # what reads, names and measures
        "pipeline/chain/", "pipeline/common/", "pipeline/data/", "pipeline/evaluation/cost/", "pipeline/model/adapter/",
        "pipeline/model/base/", "pipeline/evaluation/settings.py",
        "pipeline/evaluation/lm_eval_tasks.py",
    )  # fmt: skip
    named = {folder for kind in ("classification", "sft") for folder in keys.folders(kind)}
    assert {name for name in used if not name.startswith((*named, *no_part))} == set()


def test_parent_is_not_loaded_when_all_its_predictions_are_known(done, finished, run):
    release(finished, done)
    (done / "models/parent/adapter/adapter_model.safetensors").unlink()
    run(evaluate)
    found = files.read_json(write_figures.METRICS)
    assert found["parent"] == found["candidate"]


def test_a_field_that_no_record_says_is_named(done, run):
    set_params(done, evaluate__slice_by=["label", "month"])
    said = run(evaluate)
    assert "evaluate: slice_by: no record says month\n" in said
    assert "no record says label" not in said


def test_slice_without_items_has_no_metrics(done, run):
    write_records(predictions_content.SLICES / "empty.arrow", [])
    run(evaluate)
    found = files.read_json(write_figures.METRICS)["candidate"]
    assert found["slices"]["empty"] == {"accuracy": None, "macro_f1": None, "items": 0}
    assert found["all"]["items"] == 12


def test_no_slices_at_all_is_a_defined_result(done, run):
    files.empty_dir(predictions_content.SLICES)
    run(evaluate)
    assert files.read_json(write_figures.METRICS)["candidate"] == {
        "all": {"accuracy": None, "macro_f1": None, "items": 0},
        "slices": {},
    }
    assert files.read_json(evaluate.PREDICTIONS)["items"] == []


def test_item_longer_than_max_length_is_counted(done, run):
    set_params(done, train__max_length=40)
    run(evaluate)
    assert files.read_json(write_figures.METRICS)["truncated"] == 12
    assert all(row["truncated"] for row in predictions())


def test_labels_that_leave_no_room_for_a_prompt_are_an_error(done, run):
    set_params(done, train__max_length=12)
    with pytest.raises(GraftError, match=r"labels fill train\.max_length"):
        run(evaluate)


PEOPLE = {"ratings": "metrics/ratings.csv", "scale": [1, 5]}


def talks(name: str, numbers: range) -> None:
    """A slice of questions that are answered in words."""
    asked = [replace(record(number), kind="sft") for number in numbers]
    arrow.write_records(predictions_content.SLICES / f"{name}.arrow", sorted(asked, key=lambda one: one.id))


def rate(score: float) -> None:
    """Rate every answer of the candidate."""
    rated = "".join(f"{row['id']},{ratings.hashed(row['text'])},{score}\n" for row in predictions() if "text" in row)
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/ratings.csv").write_text(f"id,hash,score\n{rated}")


def test_scores_of_answers_are_counted_and_repeat_byte_for_byte(done, run):
    talks("talks", range(70, 73))
    set_params(done, evaluate__judge=PEOPLE, evaluate__max_new_tokens=4)
    assert "0 of 3 answers are judged; `make judge` asks for the others" in run(evaluate)
    found = files.read_json(write_figures.METRICS)
    assert found["candidate"]["slices"]["talks"]["judge"] is None
    assert "judge" not in found["candidate"]["slices"]["winter"]
    rate(4)
    assert "3 of 3 answers are judged" in run(evaluate)
    found, first = files.read_json(write_figures.METRICS), evaluate.PREDICTIONS.read_bytes()
    assert found["candidate"]["slices"]["talks"]["judge"] == 4.0
    assert (found["candidate"]["all"]["judged"], found["candidate"]["all"]["unjudged"]) == (3, 0)
    assert schema.problems(found, "metrics") == []
    run(evaluate)
    assert evaluate.PREDICTIONS.read_bytes() == first


def test_a_parents_scores_come_with_its_state(done, finished, run):
    talks("talks", range(70, 73))
    set_params(done, evaluate__judge=PEOPLE, evaluate__max_new_tokens=4)
    run(evaluate)
    rate(4)
    run(evaluate)
    release(done, done)
    Path("metrics/ratings.csv").unlink()
    run(evaluate)
    parent = files.read_json(write_figures.METRICS)["parent"]["slices"]["talks"]
    assert (parent["judge"], parent["judged"]) == (4.0, 3)


def test_the_stage_asks_no_model_that_judges(done, run):
    talks("talks", range(70, 73))
    Path("metrics").mkdir()
    shutil.copy2(ROOT / "metrics/judge.txt", "metrics")
    with serving(lambda asked, number: Reply(content="2")) as server:
        asked = {"model": "m", "url": server.url, "prompt": "metrics/judge.txt", "scale": [1, 5], "max_tokens": 4}
        set_params(done, evaluate__judge=asked | {"key_from": None}, evaluate__max_new_tokens=4)
        run(evaluate)
        assert server.asked == []
        command = [sys.executable, "-m", "pipeline.evaluation.llm_judge.judge"]
        subprocess.run(command, env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, check=True)
        assert len(server.asked) == 3
    run(evaluate)
    assert files.read_json(write_figures.METRICS)["candidate"]["all"]["judge"] == 2.0


def test_a_judge_without_its_prompt_stops_before_any_model_is_loaded(done, run):
    shutil.rmtree("models/adapter")
    asked = {"model": "m", "url": "http://127.0.0.1:9/v1", "prompt": "metrics/no.txt", "scale": [1, 5], "max_tokens": 4}
    with pytest.raises(GraftError, match=r"evaluate\.judge\.prompt: no such file: metrics/no\.txt"):
        set_params(done, evaluate__judge=asked | {"key_from": None})
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/no.txt").write_text("{answer}\n")
    set_params(done, evaluate__judge=asked | {"key_from": None})
    Path("metrics/no.txt").unlink()
    with pytest.raises(GraftError, match=r"metrics/no\.txt is not there"):
        run(evaluate)
