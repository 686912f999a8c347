"""make base: text of your own -> examples/base, a tiny causal language model with its tokenizer.

    python -m pipeline.model.embedded.base_build

One machine class repeats the bytes: the seed and the sizes stand here, the thread count in
params.yaml. The model is built beside the old one and takes its place when complete, so a kill
leaves a whole base.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer
from transformers.utils import logging

from pipeline.common import errors, files
from pipeline.model.embedded.base_corpus import END, PAD, SPECIALS, START, TEMPLATE, as_document, read_corpus, words
from pipeline.settings import effective

TARGET = Path("examples/base")
SEED = 20260101
CONTEXT = 1024  # tokens that the model can be given at most
ANSWER = 32  # tokens that it writes at most, unless asked for more


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What the model measures, and how long it learns."""

    vocabulary: int = 2048  # tokens, the 256 bytes and 3 special ones included
    hidden: int = 96
    layers: int = 3
    heads: int = 3
    steps: int = 1500
    batch: int = 32  # rows a step
    length: int = 64  # tokens a row
    learning_rate: float = 4e-3  # peak
    answer_weight: float = 5.0  # of an answer's tokens in the loss; all others weigh 1


def build(corpus: Sequence[Path], target: Path, *, threads: int, size: Size | None = None) -> dict[str, str]:
    """Train a base on the corpus and put it in the place of `target`.

    Args:
        corpus: UTF-8 text files, or folders of .txt files. A line is a text to read; a line with a
            tab is a question and its answer, learnt as a chat turn.
        target: the base's folder; replaced when the new one is complete.
        threads: CPU threads to compute with; other counts give other bytes.
        size: the model's measures; by default those of the embedded base.

    Returns:
        SHA-256 of every file, by its name.

    Raises:
        GraftError: a path of the corpus is missing, empty or not UTF-8; all of them are named.
    """
    size = size or Size()
    _recover(target)
    documents = [as_document(line) for line in read_corpus(corpus)]
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    tokenizer = train_tokenizer(documents, size.vocabulary)
    model = train_model(documents, tokenizer, size)
    draft = files.empty_dir(target.with_name(f".{target.name}.new"))
    _save(model, tokenizer, draft)
    _swap(draft, target)
    return {path.name: files.sha256(path) for path in files.files_below(target)}


def train_tokenizer(documents: Sequence[str], vocabulary: int) -> Qwen2Tokenizer:
    """A byte-level BPE of the class that AutoTokenizer reads a Qwen2's tokenizer.json with, whatever the file says.

    That class has a normaliser and a way to split text of its own. What is learnt here is learnt with them, and the
    class itself writes the file, so that tokenizer.json read plainly gives the same tokens.
    """
    reader = Qwen2Tokenizer().backend_tokenizer
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer = reader.normalizer, reader.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words(documents), trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],
        unk_token=PAD,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[START],
        chat_template=TEMPLATE,
        model_max_length=CONTEXT,
    )


def train_model(documents: Sequence[str], tokenizer: Qwen2Tokenizer, size: Size) -> Qwen2ForCausalLM:
    """A Qwen2 of the given size after `size.steps` steps of next-token prediction."""
    torch.manual_seed(SEED)
    model = Qwen2ForCausalLM(_config(tokenizer, size))
    rows = _rows(tokenizer(list(documents), add_special_tokens=False, verbose=False)["input_ids"], size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=size.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, size.learning_rate, size.steps, pct_start=0.1)
    print(f"base: {model.num_parameters():,} parameters, {len(documents):,} documents, {size.steps} steps", flush=True)
    model.train()
    for step in range(1, size.steps + 1):
        echoes_BT = _echoes(size, len(tokenizer))
        batch_BT = torch.cat([torch.tensor([next(rows) for _ in range(size.batch - len(echoes_BT))]), echoes_BT])
        loss = _loss(model, batch_BT, size.answer_weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % max(1, size.steps // 20) == 0:
            print(f"base: step {step}/{size.steps}, loss {loss.item():.3f}", flush=True)
    return model.eval()


def _config(tokenizer: Qwen2Tokenizer, size: Size) -> Qwen2Config:
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.hidden * 8 // 3,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        dtype="float32",
        bos_token_id=None,
        eos_token_id=SPECIALS.index(END),
        pad_token_id=SPECIALS.index(PAD),
    )


def _rows(documents: list[list[int]], size: Size) -> Iterator[list[int]]:
    """Endless rows of `size.length` tokens: documents in ever new orders, each row begins with a whole one."""
    row: list[int] = []
    while True:
        for index in torch.randperm(len(documents)).tolist():
            row += documents[index]
            if len(row) >= size.length:
                yield row[: size.length]
                row = []


def _loss(model: Qwen2ForCausalLM, batch_BT: torch.Tensor, answer_weight: float) -> torch.Tensor:
    """Mean next-token cross-entropy, in nats; answers are few tokens among many, and weigh more."""
    logits_BTV = model(input_ids=batch_BT).logits[:, :-1]
    losses_BT = F.cross_entropy(logits_BTV.transpose(1, 2), batch_BT[:, 1:], reduction="none")
    starts_BT, ends_BT = ((batch_BT == SPECIALS.index(token)).cumsum(1)[:, 1:] for token in (START, END))
    in_answer_BT = (starts_BT % 2 == 0) & (starts_BT > ends_BT)  # after a chat's second START, before its END
    weights_BT = torch.where(in_answer_BT, answer_weight, 1.0)
    return (losses_BT * weights_BT).sum() / weights_BT.sum()


def _echoes(size: Size, vocabulary: int) -> torch.Tensor:
    """Rows of random tokens, said twice: they teach to copy what was read, and give each token an embedding.

    Without them the hundreds of tokens that the corpus never ends up with (bytes, parts of words) stay
    indistinguishable, and no fine-tuning of this size can learn to write a label that needs one.
    """
    half_BT = torch.randint(vocabulary, (size.batch // 16, size.length // 2))
    return torch.cat([half_BT, half_BT], dim=1)


def _save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, folder: Path) -> None:
    """The standard layout of transformers, with nothing in it of this machine or this moment."""
    logging.disable_progress_bar()
    end, pad = model.config.eos_token_id, model.config.pad_token_id
    model.generation_config = GenerationConfig(
        eos_token_id=end, pad_token_id=pad, do_sample=False, max_new_tokens=ANSWER
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for path in files.files_below(folder):
        path.chmod(0o644)  # safetensors writes files that their owner alone may read


def _recover(target: Path) -> None:
    """After a kill between the two renames of `_swap`, the old base goes back to its place."""
    old = _old(target)
    if old.exists() and not target.exists():
        old.rename(target)


def _swap(draft: Path, target: Path) -> None:
    old = _old(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def main() -> None:
    """Rebuild examples/base from params.yaml's base.corpus."""
    asked = effective.load()
    hashes = build([Path(path) for path in asked["base"]["corpus"]], TARGET, threads=asked["train"]["threads"])
    for name, sha256 in hashes.items():
        print(f"{sha256}  {TARGET / name}")
    print("graft lock pins these files; until then the pipeline refuses them")


if __name__ == "__main__":
    errors.run(main)
