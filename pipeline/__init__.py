"""Graft: a declarative GitOps repository for fine-tuned language models."""

import os

# Threads of torch that spin while they wait take the core from those that work: with one core busy,
# a step took 3 to 8 times as long. It changes no byte.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Nothing here is compiled, but bitsandbytes decorates functions with torch.compile when PEFT imports it: a second.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
