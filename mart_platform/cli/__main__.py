"""``python -m mart_platform.cli`` is ``mart``."""

from mart_platform.cli import main

main()
