"""What an answer costs to serve: latency, tokens per second and memory, measured here and now.

Models take turns, so that a machine which slows down for a while slows all of them. Nothing of it repeats: it goes to
reports/timings/evaluate.json, which is hashed into no release.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import torch

from pipeline.evaluation.cost import peak_memory

PROBES = 16  # prompts answered one by one, as a server gets them
WARM_UP = 3  # of them are answered once before, unmeasured
LENGTHS = (32, 128)  # prompt tokens at which a model is measured, beside the most that it takes
ROUNDS, LEAST = 6, 3  # answers at each length; as few as LEAST where they take longer than SECONDS
SECONDS = 10.0  # of one length, all models together
_DIGITS, _PACE_DIGITS = 3, 1  # of milliseconds, of tokens per second

Prompt = list[int]
Answer = Callable[[Any, Prompt], object]
Cost = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """Seconds that the same work took, again and again."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of all threads together

    def quantile(self, percent: int) -> float:
        """The wall time, seconds, that `percent` of 100 stay below: 5 to 95, in steps of 5."""
        if len(self.wall) == 1:
            return self.wall[0]
        return quantiles(self.wall, n=20, method="inclusive")[percent // 5 - 1]

    @property
    def mean_cpu(self) -> float:
        """CPU-seconds, on average."""
        return sum(self.cpu) / len(self.cpu)


@torch.inference_mode()
def measure(
    models: Mapping[str, Any], prompts: Sequence[Prompt], room: int, answer: Answer, *, decode: int = 0
) -> dict[str, Cost]:
    """Cost of each model, by its name; nothing without prompts.

    Args:
        models: causal language models in evaluation mode, all on one device, such as candidate and parent.
        prompts: token ids of real questions, at least one each.
        room: tokens that a prompt may have, so that its answer fits in, too.
        answer: answers one prompt as a server would, such as by scoring every label.
        decode: tokens to generate, to measure the pace; 0: answers are not generated.

    Returns:
        Of each model p50_ms, p95_ms and cpu_ms of answering single real prompts, memory_gb at its peak; `lengths`, the
        same at each length with `tokens`, `rounds`, prefill_tokens_per_s and decode_tokens_per_s (null where nothing
        is generated). Milliseconds of wall time, CPU-milliseconds of all threads together on average, 10^9 bytes: the
        GPU's where there is one, else the process's, without the other models' weights.
    """
    if not prompts:
        return {}
    chosen = [prompt[-room:] for prompt in prompts[:: max(1, len(prompts) // PROBES)][:PROBES]]
    for model in models.values():
        for prompt in chosen[:WARM_UP]:
            answer(model, prompt)
    times = _in_turn(models, chosen, answer, SECONDS)
    lengths = {name: list[Cost]() for name in models}
    for tokens in sorted({min(tokens, room) for tokens in (*LENGTHS, room)}):
        for name, cost in _at_length(models, _of_length(chosen, tokens), answer, decode).items():
            lengths[name].append(cost)
    return {
        name: _latency(times[name])
        | {"memory_gb": max(cost["memory_gb"] for cost in lengths[name]), "lengths": lengths[name]}
        for name in models
    }


def _at_length(models: Mapping[str, Any], prompts: Sequence[Prompt], answer: Answer, decode: int) -> dict[str, Cost]:
    """Cost of each model at prompts of one length."""
    tokens = len(prompts[0])
    peaks = {name: peak_memory.peak_gb(models, name, lambda model: answer(model, prompts[0])) for name in models}
    answered = _in_turn(models, prompts, answer, SECONDS / 2)
    filled = _in_turn(models, prompts, _prefill, SECONDS / 4)
    decoders = {name: _Decoder(model, prompts[0]) for name, model in models.items()} if decode else {}
    decoded = _in_turn(decoders, [prompts[0]] * decode, lambda decoder, _: decoder.step(), SECONDS / 4)
    return {
        name: {
            "tokens": tokens,
            "rounds": len(answered[name].wall),
            **_latency(answered[name]),
            "prefill_tokens_per_s": round(tokens / filled[name].quantile(50), _PACE_DIGITS),
            "decode_tokens_per_s": round(1 / decoded[name].quantile(50), _PACE_DIGITS) if decode else None,
            "memory_gb": peaks[name],
        }
        for name in models
    }


class _Decoder:
    """A model that goes on from a prompt, always with the likeliest token."""

    def __init__(self, model: Any, prompt: Prompt) -> None:
        self.model, self.state = model, _prefill(model, prompt)

    def step(self) -> None:
        """Generate one token."""
        token_BT = self.state.logits[:, -1:].argmax(-1)
        self.state = self.model(input_ids=token_BT, past_key_values=self.state.past_key_values, use_cache=True)


def _prefill(model: Any, prompt: Prompt) -> Any:
    ids_BT = torch.tensor([prompt], device=next(model.parameters()).device)
    return model(input_ids=ids_BT, use_cache=True, logits_to_keep=1)


def _in_turn(
    models: Mapping[str, Any], prompts: Iterable[Prompt], work: Answer, seconds: float = float("inf")
) -> dict[str, Times]:
    """Times of each model at each prompt, one model after the other, in an order that turns around each time."""
    times, order = {name: Times() for name in models}, list(models)
    began = time.perf_counter()
    for done, prompt in enumerate(prompts):
        if done >= LEAST and time.perf_counter() - began > seconds:
            break
        for name in order:
            wall, cpu = _clock()
            work(models[name], prompt)
            ended, used = _clock()
            times[name].wall.append(ended - wall)
            times[name].cpu.append(used - cpu)
        order.reverse()
    return times


def _clock() -> tuple[float, float]:
    """Wall time and this process's CPU time, seconds, once the GPU has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def _of_length(prompts: Sequence[Prompt], tokens: int) -> list[Prompt]:
    """Prompts of one length: real ones, gone on with the next ones and cut."""
    made = []
    for number in range(ROUNDS):
        prompt: Prompt = []
        while len(prompt) < tokens:
            prompt = prompt + prompts[number % len(prompts)]
            number += 1  # noqa: PLW2901
        made.append(prompt[:tokens])
    return made


def _latency(times: Times) -> Cost:
    seconds = {"p50_ms": times.quantile(50), "p95_ms": times.quantile(95), "cpu_ms": times.mean_cpu}
    return {name: round(value * 1000, _DIGITS) for name, value in seconds.items()}
