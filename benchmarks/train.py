"""How fast an adapter is trained: Graft beside LLaMA-Factory and TRL, same model, rows, batches and settings.

`python benchmarks/train.py [--peers DIR] [--runs N]`; DIR (or GRAFT_PEERS; else ~/.cache/graft-peers) holds an
environment for each peer, made on demand with pip: `pip install torch` comes first, from wherever pip is told to take
it. Everything else is made here: a Qwen2 of 7.3 million random parameters, a tokenizer, 128 rows. All sides run on one
thread, one after the other in turns, and the medians count. Tokens are those that the model sees, padding left out.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.common import files, yaml
from pipeline.data.records import arrow, records
from pipeline.data.records.records import Record
from pipeline.model.base import base_files

ROOT = Path(__file__).resolve().parent.parent
ROWS, SECOND = 128, 64  # of the first and of the second increment
BATCH, RATE, LENGTH, SEED = 8, 1e-3, 512, 42
TOKENS = 8 * 114  # of a packed row: about a batch
PEERS = {  # what LLaMA-Factory requires, torch's companions and its web page left out
    "llamafactory": (
        "transformers==5.6.0 peft==0.18.1 trl==0.24.0 accelerate==1.11.0 datasets==4.0.0 tyro<0.9.0 omegaconf fire "
        "einops matplotlib modelscope numpy packaging pandas protobuf pydantic pyyaml safetensors scipy sentencepiece "
        "sse-starlette tiktoken torchdata<=0.11.0 hf-transfer av<=16.0.0 fastapi uvicorn gradio<=5.50.0",
        "llamafactory==0.9.5",
    ),
    "trl": ("trl==1.16.0 peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0", ""),
}
LOOPS = (("TRL", "trl", 3.5, 2.0), ("LLaMA-Factory", "lf", 2.0, 1.4))  # targets: default, best setting
WHOLE = 1.8  # target: the second increment, start to saved adapter
TRL = """
import json, os, sys, time
import torch
torch.set_num_threads(1)
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
model, rows, out, more = sys.argv[1:]
more = json.loads(more)
lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
settings = dict(
    output_dir=out, per_device_train_batch_size=8, num_train_epochs=1, learning_rate=1e-3, lr_scheduler_type="cosine",
    warmup_steps=1, logging_steps=1, report_to="none", save_strategy="no", bf16=False, use_cpu=True, seed=42,
    gradient_checkpointing=False, max_length=512, include_num_input_tokens_seen="non_padding", disable_tqdm=True)
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), args=SFTConfig(**settings | more),
    train_dataset=load_dataset("json", data_files=rows, split="train"),
    processing_class=AutoTokenizer.from_pretrained(model), peft_config=lora)
started = time.perf_counter()
trainer.train()
print("LOOP", time.perf_counter() - started)
trainer.save_model()
"""
LOSS = """
import json, sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
model, rows, *adapters = sys.argv[1:]
rows = json.load(open(rows))
for adapter in adapters:
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), adapter)
    total = count = 0
    with torch.inference_mode():
        for tokens, answer in rows:
            logits = adapted(input_ids=torch.tensor([tokens]), logits_to_keep=answer + 1).logits[0, :-1]
            total += torch.nn.functional.cross_entropy(logits, torch.tensor(tokens[-answer:]), reduction="sum").item()
            count += answer
    print("LOSS", total / count)
"""
QWEN2 = (  # how its tokenizers split; newer versions of transformers put it in place of any other, older ones do not
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = (  # ChatML, with TRL's marks around what is learned
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>' }}"
    "{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training: seconds of its steps, and of the whole process; CPU seconds depend less on what else runs."""

    loop: float
    whole: float
    cpu: float


def rows(count: int) -> list[tuple[str, str]]:
    """Prompts and answers of an order desk: lists of articles in, a line for each out; 30 to 350 tokens."""
    draw = random.Random(SEED)  # noqa: S311
    syllables = [first + last for first in "bdfgklmnprstv" for last in ("an", "el", "io", "ur")]
    words = ["".join(draw.choices(syllables, k=draw.randint(2, 3))) for _ in range(700)]
    pairs = []
    for number in range(count):
        articles = [(draw.choice(words), draw.choice(words), draw.randint(1, 40)) for _ in range(draw.randint(1, 12))]
        asked = ", ".join(f"{amount} {colour} {article}" for colour, article, amount in articles)
        lines = [f"{article}: {amount} in {colour}, shelf {amount * 7 % 31}" for colour, article, amount in articles]
        pairs.append((f"Order {number}: {asked}. Write a picking list.", "\n".join(lines[: draw.randint(1, 12)])))
    return pairs


def base(folder: Path, pairs: list[tuple[str, str]]) -> None:
    """A random Qwen2 of 7.3 million parameters, and a tokenizer learned from the rows."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    learned = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    learned.pre_tokenizer, learned.decoder = pre_tokenizers.Sequence([split, to_bytes]), decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=8192, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    learned.train_from_iterator((text for pair in pairs for text in pair), trainer)
    names = {"eos_token": special[2], "pad_token": special[0], "additional_special_tokens": special[1:2]}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=learned, **names)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=8192, hidden_size=256, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)


def workspace(folder: Path, model: Path, pairs: list[tuple[str, str]], parent: Path | None) -> None:
    """A tree as the stage `train` needs it."""
    for name in ("params.yaml", "dvc.yaml"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder)
    asked = yaml.load_unchecked(folder / "params.yaml")
    asked["train"] |= {
        "seed": SEED, "threads": 1, "rank": 8, "alpha": 16, "epochs": 1, "batch_size": BATCH, "learning_rate": RATE,
        "warmup_share": 0.03, "max_length": LENGTH, "rewarm": 1.0,
    }  # fmt: skip
    yaml.dump(folder / "params.yaml", asked)
    command = [sys.executable, "-m", "pipeline.stages.settings"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    sha256 = {path.name: files.sha256(path) for path in model.iterdir()}
    base_files.write_pin(
        base_files.Pin(source=f"path:{model}", revision=None, sha256=sha256, store="cache"), folder / "models/base"
    )
    (folder / "models/parent").mkdir(parents=True)
    if parent:
        shutil.copytree(parent, folder / "models/parent/adapter")
    else:
        (folder / "models/parent/NONE").touch()
    arrow.write_records(folder / "data/assembled/train.arrow", [record(n, *pair) for n, pair in enumerate(pairs, 1)])


def record(number: int, prompt: str, answer: str) -> Record:
    """A row as the stages hold it."""
    messages = records.classification(prompt, answer)
    return Record(id=records.content_id(messages), messages=messages, increment="orders", file="raw/a", line=number)


def data(folder: Path, pairs: list[tuple[str, str]]) -> None:
    """The same rows as the peers read them."""
    alpaca = [{"instruction": prompt, "input": "", "output": answer} for prompt, answer in pairs]
    files.write_json(folder / "rows.json", alpaca)
    files.write_json(folder / "dataset_info.json", {"rows": {"file_name": "rows.json"}})
    lines = [
        {"prompt": [{"role": "user", "content": p}], "completion": [{"role": "assistant", "content": a}]}
        for p, a in pairs
    ]
    files.write_text(folder / "rows.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def peer(cache: Path, name: str) -> Path:
    """Folder of a peer's programs, installed unless it is there."""
    bin_ = cache / name / "bin"
    if (cache / name / "complete").exists():
        return bin_
    print(f"{name}: installing into {cache / name}", flush=True)
    requires, alone = PEERS[name]
    pip = [bin_ / "pip", "install", "--quiet"]
    torch = f"torch=={version('torch').partition('+')[0]}"
    steps: list[list[Any]] = [[sys.executable, "-m", "venv", cache / name], [*pip, torch]]
    steps += [[*pip, torch, *requires.split()]]
    steps += [[*pip, "--no-deps", alone]] if alone else []
    for step in steps:
        if subprocess.run(step, stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(f"{name} cannot be installed here: {' '.join(map(str, step))}\n  help: --peers DIR where it is")
    files.write_text(cache / name / "complete", "")
    return bin_


def timed(command: list[Any], folder: Path, environment: Mapping[str, str]) -> tuple[str, dict[str, float]]:
    """What a command printed, and its seconds: `whole` and `cpu`."""
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=os.environ | environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    seconds, after = time.perf_counter() - started, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-3000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, {"whole": seconds, "cpu": cpu}


def ours(work: Path) -> Run:
    """The stage `train` as dvc.yaml runs it."""
    shutil.rmtree(work / ".graft", ignore_errors=True)  # nothing is left of the run before
    _, seconds = timed([sys.executable, "-m", "pipeline.stages.train"], work, {"PYTHONPATH": str(ROOT)})
    return Run(loop=files.read_json(work / "reports/timings/train.json")["loop_seconds"], **seconds)


def llamafactory(bin_: Path, work: Path, out: str, **more: Any) -> Run:
    """Its command line."""
    settings = {
        "model_name_or_path": "model", "stage": "sft", "do_train": True, "finetuning_type": "lora", "lora_rank": 8,
        "lora_alpha": 16, "lora_dropout": 0.0, "lora_target": "all", "dataset": "rows", "dataset_dir": ".",
        "template": "qwen", "default_system": "", "cutoff_len": LENGTH, "output_dir": out,
        "overwrite_cache": True, "logging_steps": 1, "save_strategy": "no", "report_to": "none",
        "per_device_train_batch_size": BATCH, "learning_rate": RATE, "num_train_epochs": 1.0, "seed": SEED,
        "lr_scheduler_type": "cosine", "warmup_ratio": 0.03, "bf16": False, "use_cpu": True,
        "disable_gradient_checkpointing": True, "max_samples": ROWS, "disable_tqdm": True,
    } | more  # fmt: skip
    shutil.rmtree(work / out, ignore_errors=True)  # of the round before
    files.write_text(work / f"{out}.yaml", json.dumps(settings))
    _, seconds = timed([bin_ / "llamafactory-cli", "train", f"{out}.yaml"], work, {"PYTHONPATH": "stubs"})
    return Run(loop=files.read_json(work / out / "train_results.json")["train_runtime"], **seconds)


def trl(bin_: Path, work: Path, out: str, **more: Any) -> Run:
    """Its trainer, from a script as its documentation writes it."""
    said, seconds = timed([bin_ / "python", "-c", TRL, "model", work / "rows.jsonl", out, json.dumps(more)], work, {})
    return Run(loop=float(re.findall(r"LOOP ([\d.]+)", said)[-1]), **seconds)


def second(work: Path, pairs: list[tuple[str, str]]) -> Run:
    """The second increment: a part of the rows again, continuing what the first came to."""
    if not (work / "second").exists():
        workspace(work / "second", work / "model", pairs[:SECOND], work / "first/models/adapter")
    return ours(work / "second")


def contestants(cache: Path, work: Path, pairs: list[tuple[str, str]]) -> dict[str, Callable[[], Run]]:
    """Everything that is run, by name, in this order."""
    lf, hf = peer(cache, "llamafactory"), peer(cache, "trl")
    group, bf16, packing = {"train_sampling_strategy": "group_by_length"}, {"bf16": True}, {"packing": True}
    one = packing | {"per_device_train_batch_size": 1}  # row of as many tokens as a batch has
    return {
        "ours": lambda: ours(work / "first"),
        "lf": lambda: llamafactory(lf, work, "lf"),
        "lf group": lambda: llamafactory(lf, work, "lf-group", **group),
        "lf packing": lambda: llamafactory(lf, work, "lf-packing", neat_packing=True, cutoff_len=TOKENS, **one),
        "lf bf16": lambda: llamafactory(lf, work, "lf-bf16", **bf16),
        "trl": lambda: trl(hf, work, "trl"),
        "trl group": lambda: trl(hf, work, "trl-group", **group),
        "trl packing": lambda: trl(hf, work, "trl-packing", max_length=TOKENS, **one),
        "trl bf16": lambda: trl(hf, work, "trl-bf16", **bf16),
        "ours second": lambda: second(work, pairs),
        "lf second": lambda: llamafactory(lf, work, "lf-second", max_samples=SECOND, adapter_name_or_path="lf"),
    }


def rounds(run: Mapping[str, Callable[[], Run]], count: int) -> dict[str, list[Run]]:
    """Every setting once, then in turns ours, the defaults, and of each peer the best one."""
    found = {}
    for name, start in run.items():
        found[name] = [start()]
        loop, whole, cpu = found[name][0].loop, found[name][0].whole, found[name][0].cpu
        print(f"  {name}: loop {loop:.2f} s, whole process {whole:.2f} s, CPU {cpu:.2f} s", flush=True)
    bests = [min(settings(found, short), key=lambda name: found[name][0].loop) for _, short, *_ in LOOPS]
    again = [name for name in run if name in {"ours", "ours second", "lf second", "lf", "trl", *bests}]
    for _ in range(count - 1):
        for name in again:
            found[name].append(run[name]())
    return {name: found[name] for name in again}


def settings(found: Mapping[str, Any], short: str) -> list[str]:
    """Names of a peer's runs of the first increment."""
    return [name for name in found if name.split()[0] == short and name.split()[-1] != "second"]


def final_losses(work: Path, pairs: list[tuple[str, str]], adapters: Mapping[str, Path]) -> None:
    """Print what each adapter came to: nats per answer token over all rows, by one and the same code."""
    from pipeline.model.chat import chat

    template = chat.load(work / "model", None)
    made = [
        (template.prompts([[{"role": "user", "content": prompt}]])[0], template.answers([answer])[0])
        for prompt, answer in pairs
    ]
    files.write_json(work / "tokens.json", [(prompt + answer, len(answer)) for prompt, answer in made])
    said, _ = timed([sys.executable, "-c", LOSS, "model", "tokens.json", *adapters.values()], work, {})
    for name, loss in zip(adapters, re.findall(r"LOSS ([\d.]+)", said), strict=True):
        print(f"  {name}: final loss {float(loss):.4f}")


def line(name: str, mine: float, theirs: float, target: float, unit: str) -> None:
    """One claim, as JSON; seconds are better when lower, tokens per second when higher."""
    ratio = theirs / mine if unit == "s" else mine / theirs
    figures = {"ours": round(mine, 2), "theirs": round(theirs, 2), "ratio": round(ratio, 2), "target": target}
    print(json.dumps({"name": name, **figures, "unit": unit}))


def report(found: Mapping[str, list[Run]], tokens: int) -> None:
    """Medians and minima, then the claims."""
    loops = {name: statistics.median(run.loop for run in runs) for name, runs in found.items()}
    wholes = {name: statistics.median(run.whole for run in runs) for name, runs in found.items()}
    for name, runs in found.items():
        least = f"least {min(run.loop for run in runs):.2f} and {min(run.whole for run in runs):.2f} s"
        print(
            f"  {name}: loop {loops[name]:.2f} s, whole process {wholes[name]:.2f} s (medians of {len(runs)}; {least})"
        )
    line("second increment, start to saved adapter", wholes["ours second"], wholes["lf second"], WHOLE, "s")
    for peer_name, short, default, best in LOOPS:
        quickest = min(settings(found, short), key=loops.__getitem__)
        for name, what, target in ((quickest, f"{peer_name}'s best: {quickest}", best), (short, peer_name, default)):
            line(f"training loop beside {what}", tokens / loops["ours"], tokens / loops[name], target, "tokens/s")


def main() -> None:
    """Make everything, run the rounds, print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("GRAFT_PEERS", "~/.cache/graft-peers")
    parser.add_argument("--peers", type=Path, default=Path(default), help="folder of the peers' environments")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default 3)")
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "WANDB_DISABLED": "1"}
    with tempfile.TemporaryDirectory(prefix="graft-train-") as scratch:
        work, pairs = Path(scratch), rows(ROWS)
        os.environ["HF_DATASETS_CACHE"] = str(work / "datasets")
        base(work / "model", pairs)
        data(work, pairs)
        files.write_text(work / "stubs/torchaudio/__init__.py", "")  # LLaMA-Factory imports it, for sounds alone
        workspace(work / "first", work / "model", pairs, None)
        found = rounds(contestants(asked.peers.expanduser(), work, pairs), asked.runs)
        facts = files.read_json(work / "first/reports/training.json")
        print(f"  {facts['tokens']:,} tokens in {facts['steps']} steps; ours in {facts['machine_class']['precision']}")
        names = [name for name in found if "second" not in name and name != "ours"]
        adapters = {"ours": work / "first/models/adapter"} | {name: work / name.replace(" ", "-") for name in names}
        final_losses(work, pairs, adapters)
        report(found, facts["tokens"])


if __name__ == "__main__":
    main()
