"""What moves along the axes of tensors: variables, their parts, and views of both."""
