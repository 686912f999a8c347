"""What a stage says when it ends otherwise."""

import pytest

from pipeline.common import errors


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 6400000000 bytes"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
)
def test_memory_that_runs_out_is_said_in_words(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit):
        errors.run(main)
    assert capsys.readouterr().err.startswith("Error: out of memory: the model, or what is trained of it, does not fit")


def test_another_failure_keeps_its_traceback() -> None:
    def main() -> None:
        raise RuntimeError("a defect of Graft")

    with pytest.raises(RuntimeError, match="a defect"):
        errors.run(main)
