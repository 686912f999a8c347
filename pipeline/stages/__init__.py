"""One module per stage of dvc.yaml; stages meet only through the files named there."""

import signal
import sys

if sys.argv[:1] == ["-m"]:  # `python -m pipeline.stages.NAME` is importing it: Ctrl-C ends that without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from its `main` on, errors.run says a word
