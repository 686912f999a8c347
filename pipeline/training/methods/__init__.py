"""Which parameters are trained, and how what they became is saved.

LoRA and its kin, tensors of the base, other PEFT methods, a stacked adapter.
"""
