"""``python -m triollama_adapters.cli``: the command where no script was installed."""

import sys

from triollama_adapters.cli import main

sys.exit(main())
