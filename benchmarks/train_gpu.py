"""How fast LoRA trains on a GPU: Graft's loop beside TRL with Liger kernels and packing, a 1.5B Qwen2 shape.

`python benchmarks/train_gpu.py [--peers DIR]`, on a machine with an NVIDIA GPU: random weights, rows of 64 to 1,024
tokens, a quarter of them learned. It states tokens per second, the share of the bf16 matmul peak that this very GPU
reaches on 8,192 x 8,192 matrices, and peak memory. TRL runs in an environment of its own below DIR (or GRAFT_PEERS;
else ~/.cache/graft-peers), made on demand with pip.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen2Config

from pipeline.common import params
from pipeline.model.weights import machine
from pipeline.settings import effective
from pipeline.training import loop
from pipeline.training.examples.example import Example
from pipeline.training.machine import precision
from pipeline.training.methods.methods import Trainable
from pipeline.training.settings import TrainSettings

ROWS, BATCH, LENGTHS = 640, 32, (64, 1024)
SHARE = 0.5  # of the measured peak: the target
PEER = "trl==1.16.0 peft==0.21.2 transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0 liger-kernel"
TRL = """
import json, sys, time
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer
config, rows, out = sys.argv[1:]
with torch.device("cuda"):
    torch.set_default_dtype(torch.bfloat16)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config))
    torch.set_default_dtype(torch.float32)
rows = json.load(open(rows))
lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
settings = SFTConfig(
    output_dir=out, per_device_train_batch_size=16, num_train_epochs=1, learning_rate=1e-4, report_to="none",
    save_strategy="no", bf16=True, gradient_checkpointing=False, max_length=1024, packing=True, use_liger_kernel=True,
    logging_steps=100, disable_tqdm=True)
trainer = SFTTrainer(model=model, args=settings, train_dataset=Dataset.from_list(rows), peft_config=lora)
torch.cuda.synchronize()
started = time.perf_counter()
trainer.train()
torch.cuda.synchronize()
print("LOOP", time.perf_counter() - started, torch.cuda.max_memory_allocated())
"""


def shape() -> Qwen2Config:
    """Qwen2-1.5B's; source: config.json of Qwen/Qwen2-1.5B."""
    return Qwen2Config(
        vocab_size=151_936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12,
        num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=True,
    )  # fmt: skip


def examples() -> list[Example]:
    """Rows of random tokens; the last quarter of each is learned."""
    draw = random.Random(0)  # noqa: S311
    made = []
    for number in range(ROWS):
        length = draw.randint(*LENGTHS)
        tokens = [draw.randrange(150_000) for _ in range(length)]
        made.append(
            Example(id=str(number), tokens=tokens, learned=[place >= length * 3 // 4 for place in range(length)])
        )
    return made


def peak() -> float:
    """FLOP per second of a large bf16 product on this GPU, the best of 20."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        torch.cuda.synchronize()
        started = time.perf_counter()
        torch.mm(a, b)
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * 8192**3 / best


def flops(made: list[Example], config: Qwen2Config) -> float:
    """What the loss needs: products of the frozen weights forward and for the gradient of their inputs."""
    size, kv = config.hidden_size, config.hidden_size * config.num_key_value_heads // config.num_attention_heads
    layer = 2 * size * size + 2 * size * kv + 3 * size * config.intermediate_size
    body = config.num_hidden_layers * layer * sum(len(one.tokens) for one in made)
    attention = config.num_hidden_layers * size * sum(len(one.tokens) ** 2 for one in made)  # causal: half of all pairs
    head = size * config.vocab_size * sum(one.targets for one in made)
    return 4.0 * (body + attention + head)


def ours(made: list[Example], asked: TrainSettings) -> tuple[float, int]:
    """Seconds of the engine's own loop, and its peak memory in bytes; a short run before warms it up."""
    device = machine.settle(asked.threads, deterministic=asked.machine.deterministic)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with device:
        body = AutoModelForCausalLM.from_config(shape())
    torch.set_default_dtype(torch.float32)
    adapted = get_peft_model(body, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    precision.use(adapted, torch.bfloat16, device)
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    trained = Trainable(model=adapted, groups=[{"params": parameters, "share": 1.0}], save=lambda _folder: None)
    loop.fit(trained, made[:BATCH], asked, peak=1e-4)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    loop.fit(trained, made, asked, peak=1e-4)
    torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated()


def theirs(cache: Path, made: list[Example]) -> tuple[float, int]:
    """The same of TRL."""
    folder = cache / "trl-gpu"
    if not (folder / "complete").exists():
        pip = [folder / "bin/pip", "install", "--quiet"]
        torch_here = f"torch=={torch.__version__}"
        for step in ([sys.executable, "-m", "venv", folder], [*pip, torch_here], [*pip, torch_here, *PEER.split()]):
            if subprocess.run(step, check=False).returncode:
                sys.exit(f"TRL cannot be installed here: {' '.join(map(str, step))}")
        (folder / "complete").touch()
    with tempfile.TemporaryDirectory(prefix="graft-gpu-") as work:
        shape().save_pretrained(work)
        rows = [{"input_ids": list(one.tokens), "completion_mask": [int(flag) for flag in one.learned]} for one in made]
        Path(work, "rows.json").write_text(json.dumps(rows))
        command = [folder / "bin/python", "-c", TRL, work, f"{work}/rows.json", f"{work}/out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"TRL: exit {done.returncode}\n{done.stderr[-3000:]}")
    seconds, memory = done.stdout.rpartition("LOOP ")[2].split()[:2]
    return float(seconds), int(memory)


def main() -> None:
    """Measure both, with and without deterministic kernels of ours, and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("GRAFT_PEERS", "~/.cache/graft-peers")
    parser.add_argument("--peers", type=Path, default=Path(default), help="folder of the peers' environments")
    cache = parser.parse_args().peers.expanduser()
    if not torch.cuda.is_available():
        sys.exit("benchmarks/train_gpu.py needs an NVIDIA GPU, and a torch that knows it: there is none here.")
    made, asked = examples(), params.build(TrainSettings, effective.load()["train"])
    tokens, needed = sum(len(one.tokens) for one in made), flops(made, shape())
    asked = replace(asked, epochs=1, batch_size=BATCH)
    quick = replace(asked, machine=replace(asked.machine, deterministic=False))
    results: dict[str, Any] = {"deterministic": ours(made, asked), "any kernels": ours(made, quick)}
    torch.cuda.empty_cache()
    best, results["TRL"] = peak(), theirs(cache, made)
    for name, (seconds, memory) in results.items():
        share = needed / seconds / best
        print(f"  {name}: {tokens / seconds:,.0f} tokens/s, {share:.0%} of the peak, {memory / 1e9:.1f} GB")
    line: dict[str, Any] = {"name": "LoRA on a 1.5B shape: share of the GPU's measured bf16 peak"}
    line |= {"ours": round(needed / results["deterministic"][0] / best, 3)}
    line |= {"theirs": round(needed / results["TRL"][0] / best, 3)}
    line |= {"ratio": round(results["TRL"][0] / results["deterministic"][0], 2), "target": SHARE, "unit": "share"}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
