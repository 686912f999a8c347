"""settings: params.yaml + the defaults in code -> reports/params.json, every effective value

The other stages depend on its keys, so that a default written out, a comment or a key that another stage reads
runs none of them again.
"""

from pipeline.common import errors, params
from pipeline.settings import effective, record


def main() -> None:
    """Run the stage."""
    effective.require_files()
    record.write()
    print(f"settings: every effective value: {params.PATH}; graft lock --show says where each comes from")


if __name__ == "__main__":
    errors.run(main)
