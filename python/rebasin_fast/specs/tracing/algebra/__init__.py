"""Algebra of axes: variables, their definitions, tensors over them, and views of tensors."""
