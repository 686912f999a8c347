"""Quicker imports: transformers and PEFT without what one process that compiles nothing never uses.

Importing them loads torch's compiler, its distributed tensors and bitsandbytes: more than half of the time. Each is
left out in a way that the packages themselves foresee (a module that is not there, a torch without distributed), except
torch's compiler and its symbols, which stand in sys.modules as shells that load the real ones as soon as anything else
is asked of them than not to compile.
"""

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.model import saved

COMPILER = "torch._dynamo"
ITEMS = f"{COMPILER}._trace_wrapped_higher_order_op"  # transformers.masking_utils takes one class from it
FRAMES = f"{COMPILER}.eval_frame"  # accelerate asks, before a model is saved, whether it is a compiled one
SHAPES = "torch.fx.experimental.symbolic_shapes"  # torch asks it about plain numbers, too
SYMBOLS = "sympy"
QUANTIZER = "bitsandbytes"
DISTRIBUTED = "torch.distributed.tensor"
_MARKS = ("disable", "allow_in_graph", "assume_constant_result")  # decorators: what the compiler may do with a function


@contextmanager
def imports(*, quantizer: bool, distributed: bool) -> Iterator[None]:
    """Inside, transformers and PEFT are imported and used; what was imported before stays as it is.

    Args:
        quantizer: bitsandbytes is needed.
        distributed: torch's distributed tensors are.
    """
    import torch

    first = "transformers" not in sys.modules
    unused = [] if quantizer else [QUANTIZER]
    unused += [DISTRIBUTED] if first and not distributed else []
    hidden = [name for name in unused if name not in sys.modules]
    available = torch.distributed.is_available
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # the documented way to say that there is none
    if first and not distributed:
        torch.distributed.is_available = lambda: False
    gc.disable()  # imports and loading make millions of objects that stay: no use in going through them again and again
    try:
        if first:
            _stand_in()
            _list_once()
        yield
    finally:
        gc.enable()
        torch.distributed.is_available = available
        for name in hidden:
            sys.modules.pop(name, None)


def serving(*adapters: Path) -> AbstractContextManager[None]:
    """`imports` for scoring and merging adapters; those that are not there do not count."""
    quantized = any(saved.read(one).quantize is not None for one in adapters if (one / saved.WEIGHTS).exists())
    return imports(quantizer=quantized, distributed=False)


def started() -> None:
    """All is loaded: collect garbage again, of what is made from now on."""
    gc.freeze()
    gc.enable()


def _list_once() -> None:
    """Import transformers, and let it read its thousands of model files for their names once, not twice."""
    from transformers.utils import import_utils

    listing = import_utils.define_import_structure

    def known(path: str, prefix: str | None = None) -> Any:
        models = Path(path).parent
        if prefix is not None or models.name != "models":
            return listing(path, prefix)
        found = listing(models, prefix="models").items()  # as transformers itself asked, so it is remembered
        return {
            need: {name[7:]: names for name, names in part.items() if name[:7] == "models."} for need, part in found
        }

    import_utils.define_import_structure = known
    importlib.import_module("transformers.models")
    import_utils.define_import_structure = listing


def _stand_in() -> None:
    """Put shells where torch's compiler and its symbols would be, unless they are there."""
    if SHAPES not in sys.modules and SYMBOLS not in sys.modules:
        _put(SHAPES, {name: _of_numbers(name, said) for name, said in _SAID.items()})
        _put(SYMBOLS, {"Basic": _Nothing})
    if COMPILER not in sys.modules:
        frames = _put(FRAMES, {"OptimizedModule": _Nothing})
        _put(ITEMS, {"TransformGetItemToIndex": _items_by_index})
        _put(COMPILER, dict.fromkeys(_MARKS, _as_it_is) | {"graph_break": _nothing, "eval_frame": frames})
    sys.meta_path.insert(0, _FINDER)


def _put(name: str, known: dict[str, Any]) -> ModuleType:
    sys.modules[name] = shell = _Shell(name, known)
    return shell


class _Shell(ModuleType):
    """A module that knows a few names, and becomes the real one when asked for any other."""

    def __init__(self, name: str, known: dict[str, Any]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


class _Below:
    """Finds what lies below a shell in the real module."""

    def find_spec(self, name: str, _path: Any, _target: Any = None) -> ModuleSpec | None:
        """The spec of a module below a shell, whose real parent is then loaded; of another one None."""
        above = SYMBOLS if name.startswith(SYMBOLS) else COMPILER
        if not (name.startswith(f"{above}.") and isinstance(sys.modules.get(above), _Shell)):
            return None
        return ModuleSpec(name, _Loaded(_real(name)))


class _Loaded(Loader):
    """A loader of what is there."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        return self.module

    def exec_module(self, _module: ModuleType) -> None:
        """Nothing is left to run."""


_FINDER = _Below()


def _real(name: str) -> ModuleType:
    """A module that a shell stood for, or one below it; with one of torch's compiler, all of its shells go."""
    for shell in (COMPILER, ITEMS, FRAMES) if name.startswith(COMPILER) else (SHAPES, SYMBOLS):
        if isinstance(sys.modules.get(shell), _Shell):
            del sys.modules[shell]
    if name.startswith(COMPILER):
        importlib.import_module(COMPILER)
    return importlib.import_module(name)


class _Nothing:
    """What no model is where nothing is compiled, and no number where there are no symbols."""


_SAID: dict[
    str, Callable[..., Any]
] = {  # what torch's questions about symbols come to for plain numbers, truths and shapes
    "expect_true": bool,
    "guard_or_false": bool,
    "guard_or_true": bool,
    "statically_known_true": bool,
    "is_nested_int": lambda _: False,
    "has_guarding_hint": lambda _: True,
    "guarding_hint_or_throw": lambda number: number,
    "sym_and": lambda *truths: all(truths),
    "sym_or": lambda *truths: any(truths),
    "sym_eq": lambda one, other: one == other,
}


def _of_numbers(name: str, said: Callable[..., Any]) -> Callable[..., Any]:
    """A function of SHAPES that answers for plain numbers itself; symbols need the real one."""

    def answer(*asked: Any) -> Any:
        return said(*asked) if all(map(_plain, asked)) else getattr(_real(SHAPES), name)(*asked)

    return answer


def _plain(asked: Any) -> bool:
    return all(isinstance(one, int) for one in (asked if isinstance(asked, (list, tuple)) else [asked]))


def _as_it_is(function: Callable[..., Any] | None = None, *_args: Any, **_named: Any) -> Callable[..., Any]:
    """What a mark for torch's compiler comes to where nothing is compiled; without a function, the mark itself."""
    return function or _as_it_is


def _nothing() -> None:
    """What `torch._dynamo.graph_break` comes to there."""


def _items_by_index() -> Any:
    return _real(ITEMS).TransformGetItemToIndex()
