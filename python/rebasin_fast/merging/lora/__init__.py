"""LoRA adapters: low-rank products that are added to the weights of a model, as PEFT stores them."""
