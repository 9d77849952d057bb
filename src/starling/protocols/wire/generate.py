"""What ``make stubs`` does: write the Python modules of the ``.proto`` files here again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


def generate(into: Path) -> None:
    """Write modules and their types to the folder ``into``. Needs grpcio-tools."""
    from grpc_tools import protoc  # noqa: PLC0415 - a tool of who develops this

    names = [path.name for path in sorted(HERE.glob("*.proto"))]
    if protoc.main(["protoc", f"-I{HERE}", f"--python_out={into}", f"--pyi_out={into}", *names]):
        sys.exit("protoc failed, see above")
    for module in into.glob("*_pb2.py"):
        written = module.read_text(encoding="utf-8")
        module.write_text(written.replace("_descriptor_pool.Default()", "_descriptor_pool.DescriptorPool()"), encoding="utf-8")


if __name__ == "__main__":
    generate(HERE)
