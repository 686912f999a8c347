"""Quicker imports: transformers and PEFT without what one process that compiles nothing never uses.

Importing them loads torch's compiler, its distributed tensors and bitsandbytes: more than half of the time. Each is
left out in a way that the packages themselves foresee (a module that is not there, a torch without distributed), except
torch's compiler, its symbols and what it knows in Python of tensors without data: they stand in sys.modules as shells
that load the real ones as soon as anything else is asked of them than not to compile.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pipeline import files
from pipeline.model import saved

COMPILER = "torch._dynamo"
ITEMS = f"{COMPILER}._trace_wrapped_higher_order_op"  # transformers.masking_utils takes one class from it
FRAMES = f"{COMPILER}.eval_frame"  # accelerate asks, before a model is saved, whether it is a compiled one
SHAPES = "torch.fx.experimental.symbolic_shapes"  # torch asks it about plain numbers, too
SYMBOLS = "sympy"
QUANTIZER = "bitsandbytes"
DISTRIBUTED = "torch.distributed.tensor"
META = "torch._meta_registrations"
NAMES = "transformers.utils.import_utils"
KEPT = Path(".graft/imports")  # names of the model files of one version of transformers
T = TypeVar("T")
Structure = dict[frozenset[str], dict[str, set[str]]]  # what a module needs -> module -> names in it
_OF_SYMBOLS = (SHAPES, SYMBOLS)
_MARKS = ("disable", "allow_in_graph", "assume_constant_result")  # decorators: what the compiler may do with a function


@contextmanager
def imports(*, quantizer: bool, distributed: bool) -> Iterator[None]:
    """Inside, transformers and PEFT are imported and used; what was imported before stays as it is.

    Args:
        quantizer: bitsandbytes is needed.
        distributed: torch's distributed tensors are.
    """
    if "torch" not in sys.modules and not distributed:
        _put(META, {})  # see `without_data`
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
            sys.meta_path.insert(0, listing := _Listing())
            importlib.import_module("transformers.models")
            sys.meta_path.remove(listing)
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


def without_data(build: Callable[[], T]) -> T:
    """Build something whose tensors have no data, or had none for a while: torch's meta device.

    Most operations on it are a part of torch's core. Where one is not, those that torch has in Python are loaded.
    """
    try:
        return build()
    except NotImplementedError:
        if not isinstance(sys.modules.get(META), _Shell):
            raise
        _real(META)
        return build()


def started() -> None:
    """All is loaded: collect garbage again, of what is made from now on."""
    gc.freeze()
    gc.enable()


class _Listing(MetaPathFinder):
    """Has transformers know the names in its thousands of model files from the last time, not read them all, twice."""

    def find_spec(self, name: str, path: Any, _target: Any = None) -> ModuleSpec | None:
        """The spec of the module that reads them; of another one None."""
        spec = PathFinder.find_spec(name, path) if name == NAMES else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Remembering(spec.loader)
        return spec


class _Remembering(Loader):
    """Loads that module, and puts what is remembered in the place of the function that reads."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As ever."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As ever, then the one change."""
        self.loader.exec_module(module)
        module.__dict__["define_import_structure"] = _remembered(module.__dict__["define_import_structure"])


def _remembered(read: Callable[..., Structure]) -> Callable[..., Structure]:
    """Transformers' `define_import_structure`, quicker for its folder `models`."""

    def listing(module_path: str, prefix: str | None = None) -> Structure:
        path = Path(module_path)
        models = path.parent if path.suffix else path
        if models.name != "models":
            return read(module_path, prefix)
        before = f"{prefix}." if prefix else ""
        return {needs: {before + name: of for name, of in part.items()} for needs, part in _names(models, read).items()}

    return listing


def _names(models: Path, read: Callable[..., Structure]) -> Structure:
    release = version("transformers")
    kept = KEPT / f"transformers-{release}.json"
    with suppress(OSError, ValueError, TypeError):
        told = json.loads(kept.read_bytes())
        return {frozenset(needs): {name: set(of) for name, of in part.items()} for needs, part in told}
    found = read(str(models))
    if "dev" not in release:  # of which one name stands for many contents
        told = [[sorted(needs), {name: sorted(of) for name, of in part.items()}] for needs, part in found.items()]
        with suppress(OSError):
            files.write_text(kept, json.dumps(told))
    return found


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
    alike = (META,) if name == META else (COMPILER, ITEMS, FRAMES, META) if name.startswith(COMPILER) else _OF_SYMBOLS
    gone = [shell for shell in alike if isinstance(sys.modules.get(shell), _Shell)]
    for shell in gone:
        del sys.modules[shell]
    for shell in gone:
        importlib.import_module(shell)
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
