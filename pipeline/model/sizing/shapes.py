"""A model's config.json -> how many parameters it has and where. Reads no weights and loads no torch.

The shape of each family is a fact of its public architecture; tests hold every count against transformers' own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.common.errors import GraftError


@dataclass(frozen=True, kw_only=True, slots=True)
class Linear:
    """One matrix of a decoder layer."""

    name: str  # last part of its module's name, as train.targets means it
    wide: int  # features in
    out: int  # features out
    bias: bool = False

    @property
    def size(self) -> int:
        """Parameters of the matrix, bias not counted."""
        return self.wide * self.out


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What memory and time follow from."""

    family: str  # config.json's model_type
    hidden: int
    layers: int
    vocabulary: int
    linears: tuple[Linear, ...]  # of one decoder layer
    queries: int  # features of all query heads
    keys: int  # features of all key heads; values have as many
    ahead: int  # features between the two halves of the feed-forward part
    gated: bool  # the feed-forward part multiplies two projections
    norms: int  # parameters of one layer's normalisations
    outer: int  # parameters outside the layers that are neither embedding nor head, the head's bias included
    tied: bool  # the head is the embedding

    @property
    def layer(self) -> int:
        """Parameters of one decoder layer."""
        return self.norms + sum(linear.size + linear.out * linear.bias for linear in self.linears)

    @property
    def matrices(self) -> int:
        """Parameters in the layers' matrices: what is quantised."""
        return self.layers * sum(linear.size for linear in self.linears)

    @property
    def head(self) -> int:
        """Parameters of the output matrix, wherever they are kept."""
        return self.hidden * self.vocabulary

    @property
    def parameters(self) -> int:
        """All of them; a tied head counts once."""
        return self.layers * self.layer + self.outer + self.head * (1 if self.tied else 2)


def read(config: Mapping[str, Any]) -> Shape:
    """The shape that a config.json describes.

    Raises:
        GraftError: its family is not known here; or a number is missing, each named.
    """
    family = str(config.get("model_type"))
    if family not in _FAMILIES:
        raise GraftError(
            f"config.json: model_type {family}: memory and time of this family cannot be worked out",
            help=f"known: {', '.join(sorted(_FAMILIES))}",
        )
    needed = _NEEDED.get(family, ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"))
    problems = [
        f"{name}: {config.get(name)!r} is no number above 0"
        for name in (*needed, "vocab_size")
        if not (isinstance(config.get(name), int) and config[name] > 0)
    ]
    if problems:
        raise GraftError("config.json: not a model's", problems, help="take the file of that name from the model")
    return _FAMILIES[family](config)


def _llama(config: Mapping[str, Any]) -> Shape:
    """Llama and what followed it: RMSNorm, rotary positions, grouped keys, a gated feed-forward part."""
    family, hidden, ahead = config["model_type"], config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or _HEAD_DIM.get(family) or hidden // heads
    queries, keys = heads * size, (config.get("num_key_value_heads") or heads) * size
    biased = family == "qwen2" or bool(config.get("attention_bias"))
    mlp_bias = family == "llama" and bool(config.get("mlp_bias"))
    linears = (
        Linear(name="q_proj", wide=hidden, out=queries, bias=biased),
        Linear(name="k_proj", wide=hidden, out=keys, bias=biased),
        Linear(name="v_proj", wide=hidden, out=keys, bias=biased),
        Linear(name="o_proj", wide=queries, out=hidden, bias=biased and family != "qwen2"),
        Linear(name="gate_proj", wide=hidden, out=ahead, bias=mlp_bias),
        Linear(name="up_proj", wide=hidden, out=ahead, bias=mlp_bias),
        Linear(name="down_proj", wide=ahead, out=hidden, bias=mlp_bias),
    )
    norms = (4 if family in ("gemma2", "gemma3_text") else 2) * hidden
    if family in ("qwen3", "gemma3_text"):
        norms += 2 * size  # of queries and keys
    tied = config.get("tie_word_embeddings", family.startswith("gemma"))
    return _shape(config, linears, queries=queries, keys=keys, ahead=ahead, norms=norms, outer=hidden, tied=tied)


def _phi3(config: Mapping[str, Any]) -> Shape:
    hidden, ahead, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    keys = (config.get("num_key_value_heads") or heads) * (hidden // heads)
    linears = (
        Linear(name="qkv_proj", wide=hidden, out=hidden + 2 * keys),
        Linear(name="o_proj", wide=hidden, out=hidden),
        Linear(name="gate_up_proj", wide=hidden, out=2 * ahead),
        Linear(name="down_proj", wide=ahead, out=hidden),
    )
    tied = config.get("tie_word_embeddings", False)
    return _shape(config, linears, queries=hidden, keys=keys, ahead=ahead, norms=2 * hidden, outer=hidden, tied=tied)


def _qwen(config: Mapping[str, Any]) -> Shape:
    """The first Qwen, whose intermediate_size counts both halves of the gate."""
    hidden, ahead = config["hidden_size"], config["intermediate_size"] // 2
    linears = (
        Linear(name="c_attn", wide=hidden, out=3 * hidden, bias=True),
        Linear(name="c_proj", wide=hidden, out=hidden),
        Linear(name="w1", wide=hidden, out=ahead),
        Linear(name="w2", wide=hidden, out=ahead),
        Linear(name="c_proj", wide=ahead, out=hidden),
    )
    tied = config.get("tie_word_embeddings", False)
    return _shape(config, linears, queries=hidden, keys=hidden, ahead=ahead, norms=2 * hidden, outer=hidden, tied=tied)


def _phi(config: Mapping[str, Any]) -> Shape:
    """Phi 1 and 2: one LayerNorm a layer, biases everywhere, also in the head."""
    hidden, ahead, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    keys = (config.get("num_key_value_heads") or heads) * (hidden // heads)
    linears = (
        Linear(name="q_proj", wide=hidden, out=hidden, bias=True),
        Linear(name="k_proj", wide=hidden, out=keys, bias=True),
        Linear(name="v_proj", wide=hidden, out=keys, bias=True),
        Linear(name="dense", wide=hidden, out=hidden, bias=True),
        Linear(name="fc1", wide=hidden, out=ahead, bias=True),
        Linear(name="fc2", wide=ahead, out=hidden, bias=True),
    )
    norms = 2 * hidden + (4 * (hidden // heads) if config.get("qk_layernorm") else 0)
    outer, tied = 2 * hidden + config["vocab_size"], config.get("tie_word_embeddings", False)
    return _shape(config, linears, queries=hidden, keys=keys, ahead=ahead, norms=norms, outer=outer, tied=tied)


def _gpt2(config: Mapping[str, Any]) -> Shape:
    hidden = config["n_embd"]
    names = ("c_attn", "c_proj", "c_fc", "c_proj")
    plain = {**config, "hidden_size": hidden, "num_hidden_layers": config["n_layer"]}
    positions = config.get("n_positions", 1024) * hidden
    return _classic(plain, names, config.get("n_inner") or 4 * hidden, outer=2 * hidden + positions)


def _bloom(config: Mapping[str, Any]) -> Shape:
    hidden = config.get("hidden_size") or config["n_embed"]
    names = ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")
    plain = {**config, "hidden_size": hidden, "num_hidden_layers": config["n_layer"]}
    return _classic(plain, names, 4 * hidden, outer=4 * hidden)


def _classic(config: Mapping[str, Any], names: Sequence[str], ahead: int, *, outer: int) -> Shape:
    """GPT-2's layer: two LayerNorms, one matrix for queries, keys and values, a plain feed-forward part."""
    hidden = config["hidden_size"]
    sizes = ((hidden, 3 * hidden), (hidden, hidden), (hidden, ahead), (ahead, hidden))
    linears = tuple(
        Linear(name=name, wide=wide, out=out, bias=True) for name, (wide, out) in zip(names, sizes, strict=True)
    )
    tied = config.get("tie_word_embeddings", True)
    return _shape(config, linears, queries=hidden, keys=hidden, ahead=ahead, norms=4 * hidden, outer=outer, tied=tied)


def _shape(config: Mapping[str, Any], linears: tuple[Linear, ...], **rest: Any) -> Shape:
    return Shape(
        family=config["model_type"],
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        vocabulary=config["vocab_size"],
        linears=linears,
        gated=config["model_type"] not in ("phi", "gpt2", "bloom"),
        **rest,
    )


_FAMILIES: dict[str, Callable[[Mapping[str, Any]], Shape]] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"), _llama),
    "phi3": _phi3,
    "qwen": _qwen,
    "phi": _phi,
    "gpt2": _gpt2,
    "bloom": _bloom,
}
_NEEDED = {"gpt2": ("n_embd", "n_layer", "n_head"), "bloom": ("n_layer", "n_head")}
_HEAD_DIM = {"gemma": 256, "gemma2": 256, "gemma3_text": 256}  # what their configs mean when they say nothing
