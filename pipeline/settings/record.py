"""Writes reports/params.json: the stage `settings`, and whoever computes a verdict again in a folder of its own."""

from pipeline.common import errors, files, params
from pipeline.settings import effective


def write() -> None:
    """Write every effective value of params.yaml.

    Raises:
        GraftError: it is not valid.
    """
    files.write_json(params.PATH, effective.load())


if __name__ == "__main__":
    errors.run(write)
