"""The mixture layer and whole models with it, beside LoRA, X-LoRA, Arrow and a loop."""
