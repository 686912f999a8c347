"""Quicker imports: transformers and PEFT without what one process that compiles nothing never uses.

Importing them loads torch's compiler, its distributed tensors and bitsandbytes: more than half of the time. Each is
left out in a way that the packages themselves foresee (a module that is not there, a torch without distributed), except
torch's compiler, which stands in sys.modules as a shell that loads the real one as soon as anything else is asked of
it than not to compile.
"""

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
ITEMS = f"{COMPILER}._trace_wrapped_higher_order_op"  # transformers.masking_utils takes one class from it
QUANTIZER = "bitsandbytes"
_MARKS = ("disable", "allow_in_graph", "assume_constant_result")  # decorators: what the compiler may do with a function


@contextmanager
def imports(*, quantizer: bool, distributed: bool) -> Iterator[None]:
    """Inside, transformers and PEFT are imported and used; what was imported before stays as it is.

    Args:
        quantizer: bitsandbytes is needed.
        distributed: torch's distributed tensors are.
    """
    import torch

    hidden, first = not quantizer and QUANTIZER not in sys.modules, "transformers" not in sys.modules
    available = torch.distributed.is_available
    if hidden:
        sys.modules[QUANTIZER] = None  # type: ignore[assignment] # the documented way to say that there is none
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
        if hidden:
            del sys.modules[QUANTIZER]


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
    """Put shells where torch's compiler and its one module that transformers names would be, unless they are there."""
    if COMPILER in sys.modules:
        return
    sys.modules[COMPILER] = _Shell(COMPILER, dict.fromkeys(_MARKS, _as_it_is) | {"graph_break": _nothing})
    sys.modules[ITEMS] = _Shell(ITEMS, {"TransformGetItemToIndex": _items_by_index})
    sys.meta_path.insert(0, _FINDER)


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
        """The spec of a module of the compiler's, which is then loaded; of another one None."""
        if not name.startswith(f"{COMPILER}."):
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
    """A module of torch's compiler, the shells gone."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    for shell in (COMPILER, ITEMS):
        if isinstance(sys.modules.get(shell), _Shell):
            del sys.modules[shell]
    importlib.import_module(COMPILER)
    return importlib.import_module(name)


def _as_it_is(function: Callable[..., Any] | None = None, *_args: Any, **_named: Any) -> Callable[..., Any]:
    """What a mark for torch's compiler comes to where nothing is compiled; without a function, the mark itself."""
    return function or _as_it_is


def _nothing() -> None:
    """What `torch._dynamo.graph_break` comes to there."""


def _items_by_index() -> Any:
    return _real(ITEMS).TransformGetItemToIndex()
