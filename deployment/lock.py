"""Lock each function's own dependencies, at the versions that the tests run with; needs ``uv``."""

from __future__ import annotations

import subprocess

from deployment.functions import PLATFORMS, PYTHON, ROOT, extras, lock_file


def main() -> None:
    """Write ``requirements/functions/<name>.txt`` for every function."""
    for name, wanted in extras().items():
        file = lock_file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--generate-hashes", "--python-version", PYTHON]
        command += ["--python-platform", "x86_64-" + PLATFORMS[0].removesuffix("_x86_64")]
        command += ["--constraint", "requirements/dev.txt", "--output-file", str(file.relative_to(ROOT))]
        command += [option for extra in wanted for option in ("--extra", extra)]
        subprocess.run([*command, "pyproject.toml"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
