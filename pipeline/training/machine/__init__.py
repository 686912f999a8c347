"""How the arithmetic is laid on the machine: precision, memory, fast LoRA layers, several processes."""
