"""The maths of noise: pure functions of tensors."""
