"""Models in folders of transformers and diffusers, or in the local cache of the Hugging Face Hub."""
