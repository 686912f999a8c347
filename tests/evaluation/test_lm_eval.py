"""Label scores equal those of lm-evaluation-harness on the same prompts; skipped where lm_eval is not installed.

To run them: `make setup EXTRAS=lm-eval`, then `.venv/bin/python -m pytest tests/evaluation/test_lm_eval.py`.
"""

import json

import pytest
import torch

from pipeline.model.chat import chat
from pipeline.model.scoring import scoring
from pipeline.model.weights import base_model
from tests.conftest import ROOT

pytest.importorskip("lm_eval", reason="lm_eval is not installed: make setup EXTRAS=lm-eval")

BASE = ROOT / "examples/base"
LABELS = ["Toy", "Toys", "Toys and Games", "Book", "Garden Tools"]  # some begin like others
TITLES = ["a red ball", "Lumera HD-125BT foldable, deep bass", "cordless hedge trimmer with a long name " * 6, "x"]


@pytest.fixture(scope="module")
def asked():
    from lm_eval.models.huggingface import HFLM

    talk = chat.load(BASE)
    return HFLM(pretrained=base_model.load(BASE).eval(), tokenizer=talk.tokenizer, batch_size=3), talk


def test_same_tokens_same_scores_and_answers(asked):
    harness, talk = asked
    prompts = talk.prompts([[{"role": "user", "content": title}] for title in TITLES])
    labels = talk.answers(LABELS)
    requests = [(("", ""), prompt, label) for prompt in prompts for label in labels]
    flat = torch.tensor([score for score, _ in harness._loglikelihood_tokens(requests, disable_tqdm=True)])
    theirs = flat.view(len(prompts), len(labels))
    ours = scoring.label_scores(harness.model, prompts, labels, batch_size=2)
    assert ours.tolist() == [pytest.approx(row, abs=2e-4, rel=2e-6) for row in theirs.tolist()]
    assert ours.argmax(1).tolist() == theirs.argmax(1).tolist()


def test_same_texts_same_scores(asked):
    """As a task asks: the harness counts the line break before an answer to the answer."""
    from lm_eval.api.instance import Instance

    harness, talk = asked
    contexts = [harness.apply_chat_template([{"role": "user", "content": title}]) for title in TITLES]
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=(context, f"{label}<|im_end|>"), idx=number)
        for context in contexts
        for number, label in enumerate(LABELS)
    ]
    flat = torch.tensor([score for score, _ in harness.loglikelihood(requests, disable_tqdm=True)])
    prompts = [harness.tok_encode(context.rstrip()) for context in contexts]
    labels = talk.answers([f"\n{label}" for label in LABELS])
    ours = scoring.label_scores(harness.model, prompts, labels, batch_size=2).flatten()
    assert json.dumps(contexts[0]).endswith('assistant\\n"')
    assert ours.tolist() == pytest.approx(flat.tolist(), abs=2e-4, rel=2e-6)
